#include "ipc/listener.h"

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <kj/function.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace glovebox {
namespace {

class Listener: public testing::Test {
 protected:
  std::string folder;
  UvLoop loop;
  UvEventPort port{loop.get()};

  Listener() {
    char name[] = "/tmp/glovebox-listener-XXXXXX";
    folder = mkdtemp(name);
  }
  ~Listener() noexcept override { rmdir(folder.c_str()); }

  kj::String path() { return kj::str(folder.c_str(), "/socket"); }
  static std::string errorOf(kj::Function<void()> act) {
    KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { act(); })) return exception->getDescription().cStr();
    return "no error";
  }
};

TEST_F(Listener, AcceptsOneConnectionAfterTheOther) {
  UnixListener listener(port, path());
  for (int i = 0; i < 3; ++i) {
    auto accepting = listener.accept();
    EXPECT_FALSE(accepting.poll(port.waitScope()));
    auto client = connectUnix(path());
    auto server = accepting.wait(port.waitScope());
    KJ_SYSCALL(write(client, "x", 1));
    char byte;
    EXPECT_EQ(read(server, &byte, 1), 1);
  }
}

TEST_F(Listener, OnlyTheOwnerMayConnect) {
  UnixListener listener(port, path());
  struct stat info;
  KJ_SYSCALL(stat(path().cStr(), &info));
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Listener, RemovesItsSocket) {
  { UnixListener listener(port, path()); }
  EXPECT_NE(access(path().cStr(), F_OK), 0);
  EXPECT_NE(errorOf([&]() { connectUnix(path()); }).find("no supervisor listens on"), std::string::npos);
}

TEST_F(Listener, ReplacesTheSocketOfADeadProcess) {
  {
    int fd;
    KJ_SYSCALL(fd = socket(AF_UNIX, SOCK_STREAM, 0));
    kj::AutoCloseFd dead(fd);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, path().cStr());
    KJ_SYSCALL(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    KJ_SYSCALL(listen(dead, 1));
  }
  EXPECT_NE(errorOf([&]() { connectUnix(path()); }).find("no supervisor listens on"), std::string::npos);
  UnixListener listener(port, path());
  connectUnix(path());
}

TEST_F(Listener, RefusesAPlaceThatIsTaken) {
  UnixListener listener(port, path());
  EXPECT_NE(errorOf([&]() { UnixListener second(port, path()); }).find("somebody listens on"), std::string::npos);
  connectUnix(path());   // and did not disturb the first
}

TEST_F(Listener, DoesNotRemoveAFileThatIsNotASocket) {
  std::ofstream(path().cStr()) << "precious";
  EXPECT_NE(errorOf([&]() { UnixListener listener(port, path()); }).find("is not a socket"), std::string::npos);
  EXPECT_EQ(access(path().cStr(), F_OK), 0);
  unlink(path().cStr());
}

TEST_F(Listener, SaysThatAPathIsTooLong) {
  auto longPath = kj::str(folder.c_str(), "/", kj::strArray(kj::repeat(kj::StringPtr("x"), 200), ""));
  EXPECT_NE(errorOf([&]() { UnixListener listener(port, longPath); }).find("at most 107"), std::string::npos);
  EXPECT_NE(errorOf([&]() { connectUnix(longPath); }).find("at most 107"), std::string::npos);
}

}  // namespace
}  // namespace glovebox
