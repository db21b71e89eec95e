// The real zygote in the real jail: what siblings share and what they must not, and that a sealed worker does its work.
// Plays the supervisor's part of ipc/zygote-protocol.h.

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <sstream>

#include "ipc/zygote-protocol.h"
#include "policy/filter-compiler.h"
#include "policy/layers.h"
#include "worker/worker-under-test.h"

extern char** environ;

namespace glovebox {
namespace {

using Answer = WorkerUnderTest::Answer;

constexpr char AGENT[] = "export default { async myAgent(input, env, ctx) { return { doubled: input.value * 2 }; } }";

class JailedZygote {
 public:
  explicit JailedZygote(policy::Profile profile = policy::Profile::DEFAULT) {
    int control[2], warden[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, warden) != 0) {
      return;
    }
    control_ = control[0];
    warden_ = warden[0];
    std::vector<std::string> command = {getenv("GLOVEBOX_JAILER"), "--"};
    std::istringstream words(getenv("GLOVEBOX_ENGINE"));
    for (std::string word; std::getline(words, word);) command.push_back(word);
    command.push_back(getenv("GLOVEBOX_SNAPSHOT"));
    std::vector<char*> argv;
    for (auto& word: command) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    // Through high numbers, so that neither dup2 overwrites what the other needs.
    posix_spawn_file_actions_adddup2(&actions, control[1], 103);
    posix_spawn_file_actions_adddup2(&actions, warden[1], 104);
    posix_spawn_file_actions_adddup2(&actions, 103, 3);
    posix_spawn_file_actions_adddup2(&actions, 104, 4);
    posix_spawn_file_actions_addclose(&actions, 103);
    posix_spawn_file_actions_addclose(&actions, 104);
    pid_t jailer;
    int error = posix_spawn(&jailer, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(control[1]);
    close(warden[1]);
    if (error != 0) {
      problem_ = strerror(error);
      return;
    }
    zygote::WardenStarted started;
    if (!receive(warden_, started) || started.type != zygote::RecordType::WARDEN_STARTED) {
      problem_ = "the jailer could not build a jail here (user namespaces?)";
      waitpid(jailer, nullptr, 0);
      return;
    }
    waitpid(jailer, nullptr, 0);
    wardenPid_ = started.wardenPid;
    firstUid_ = started.firstWorkerUid;

    auto filter = policy::compileWorkerFilter(profile);
    zygote::Configure configure;
    configure.profile = uint32_t(profile);
    configure.uidMapped = started.uidMapped;
    configure.firstWorkerUid = started.firstWorkerUid;
    configure.heapMbMax = 128;
    configure.filterLength = uint32_t(filter.size());
    std::vector<char> packet(sizeof configure + filter.size() * sizeof(sock_filter));
    memcpy(packet.data(), &configure, sizeof configure);
    memcpy(packet.data() + sizeof configure, filter.data(), filter.size() * sizeof(sock_filter));
    if (send(control_, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) problem_ = strerror(errno);
    if (!receive(control_, ready) || ready.type != zygote::RecordType::ZYGOTE_READY) failure_ = "the zygote did not get ready";
  }

  ~JailedZygote() {
    close(control_);
    close(warden_);
    if (wardenPid_ > 0) {
      kill(wardenPid_, SIGKILL);
      waitpid(wardenPid_, nullptr, 0);
    }
  }

  // The supervisor's end of a new worker's socket, or -1.
  int spawn() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
    zygote::Spawn spawn;
    spawn.spawnId = ++spawnId_;
    spawn.workerUid = firstUid_ + spawnId_;
    spawn.dataBytesMax = 512u << 20;
    iovec data{&spawn, sizeof spawn};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
    ssize_t sent = sendmsg(control_, &message, MSG_NOSIGNAL);
    close(ends[1]);
    zygote::Spawned spawned;
    if (sent < 0 || !receive(control_, spawned, &pidfd) || spawned.type != zygote::RecordType::SPAWNED || spawned.error != 0) {
      close(ends[0]);
      return -1;
    }
    return ends[0];
  }

  // The next end the warden reports: the exit status, or the negative signal.
  int nextEnd() {
    zygote::ChildEnded ended;
    if (!receive(warden_, ended)) return -1000;
    return ended.code == CLD_EXITED ? ended.status : -ended.status;
  }

  // Why there is no jail here; and what is wrong although there is one.
  const std::string& problem() const { return problem_; }
  const std::string& failure() const { return failure_; }
  zygote::ZygoteReady ready;
  int pidfd = -1;   // of the last worker

 private:
  template <typename Record>
  static bool receive(int socket, Record& record, int* fd = nullptr) {
    iovec data{&record, sizeof record};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != ssize_t(sizeof record)) return false;
    auto* header = CMSG_FIRSTHDR(&message);
    if (fd != nullptr && header != nullptr) memcpy(fd, CMSG_DATA(header), sizeof(int));
    return true;
  }

  int control_ = -1, warden_ = -1;
  pid_t wardenPid_ = -1;
  uint32_t firstUid_ = 0;
  uint64_t spawnId_ = 0;
  std::string problem_, failure_;
};

#define NEEDS_JAIL(zygote) \
  if (!(zygote).problem().empty()) GTEST_SKIP() << (zygote).problem(); \
  if (!(zygote).failure().empty()) FAIL() << (zygote).failure()

TEST(Zygote, AJailedWorkerAnswersInEachProfile) {
  for (auto profile: {policy::Profile::DEFAULT, policy::Profile::NO_WASM, policy::Profile::JITLESS}) {
    JailedZygote zygote(profile);
    NEEDS_JAIL(zygote);
    WorkerUnderTest worker(zygote.spawn());
    ASSERT_TRUE(worker.start({{"agent.js", AGENT}}));
    EXPECT_EQ(worker.call("myAgent", {objectOf({{"value", number(21)}})}), (Answer{"value", R"({"doubled":42})"}))
        << policy::profileName(profile);
  }
}

TEST(Zygote, WebAssemblyExistsInTheDefaultProfileOnly) {
  for (auto profile: {policy::Profile::DEFAULT, policy::Profile::NO_WASM, policy::Profile::JITLESS}) {
    JailedZygote zygote(profile);
    NEEDS_JAIL(zygote);
    WorkerUnderTest worker(zygote.spawn());
    ASSERT_TRUE(worker.start("export default { type() { return typeof WebAssembly; } }"));
    EXPECT_EQ(worker.call("type", {number(1)}).shown, profile == policy::Profile::DEFAULT ? "\"object\"" : "\"undefined\"");
  }
}

TEST(Zygote, EveryLayerThatIsRequiredIsInForce) {
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  policy::LayerSet inForce(zygote.ready.layersInForce);
  for (auto layer: {policy::Layer::EMPTY_ROOT, policy::Layer::CAPABILITIES, policy::Layer::NO_NEW_PRIVS, policy::Layer::RLIMITS,
                    policy::Layer::LANDLOCK, policy::Layer::NOT_DUMPABLE, policy::Layer::SECCOMP}) {
    EXPECT_TRUE(inForce.has(layer)) << policy::info(layer).name;
  }
}

// Forked siblings start from the same state of V8's generator: without a reseed each gives the same numbers.
TEST(Zygote, SiblingsDrawDifferentRandomNumbers) {
  constexpr int SIBLINGS = 20;
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  std::set<std::string> seen;
  for (int i = 0; i < SIBLINGS; ++i) {
    WorkerUnderTest worker(zygote.spawn());
    ASSERT_TRUE(worker.start("export default { draw() { return [Math.random(), crypto.randomUUID()]; } }"));
    auto answer = worker.call("draw", {number(1)});
    ASSERT_EQ(answer.kind, "value") << answer;
    auto comma = answer.shown.find(',');
    seen.insert("random " + answer.shown.substr(0, comma));
    seen.insert("uuid " + answer.shown.substr(comma));
  }
  EXPECT_EQ(seen.size(), 2u * SIBLINGS);
}

// OpenSSL draws from the same generator, in a process that has no getpid() by which it would notice the fork.
TEST(Zygote, SiblingsMakeDifferentKeysAndSignatures) {
  constexpr int SIBLINGS = 8, DRAWN = 5;
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  std::set<std::string> seen;
  for (int i = 0; i < SIBLINGS; ++i) {
    WorkerUnderTest worker(zygote.spawn());
    ASSERT_TRUE(worker.start(R"(
      const { subtle } = crypto;
      const hex = (bytes) => new Uint8Array(bytes).toHex();
      export default {
        async aes() { return hex(await subtle.exportKey("raw", await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]))); },
        async ec() { return hex(await subtle.exportKey("raw", (await subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"])).publicKey)); },
        async ed() { return hex(await subtle.exportKey("raw", (await subtle.generateKey("Ed25519", true, ["sign"])).publicKey)); },
        async rsa() {
          const how = { name: "RSA-PSS", modulusLength: 512, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-1" };
          return (await subtle.exportKey("jwk", (await subtle.generateKey(how, true, ["sign"])).publicKey)).n;
        },
        async nonce() {
          const key = await subtle.importKey("jwk", { kty: "EC", crv: "P-256", d: "ya-p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyE",
            x: "YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y", y: "eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk" }, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
          return hex(await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new Uint8Array(0)));
        },
      })"));
    for (auto what: {"aes", "ec", "ed", "rsa", "nonce"}) {
      auto answer = worker.call(what, {number(1)});
      ASSERT_EQ(answer.kind, "value") << what << ": " << answer;
      seen.insert(std::string(what) + answer.shown);
    }
  }
  EXPECT_EQ(seen.size(), size_t(SIBLINGS * DRAWN));
}

TEST(Zygote, ASealedWorkerUsesAsymmetricKeys) {
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  WorkerUnderTest worker(zygote.spawn());
  ASSERT_TRUE(worker.start(R"(
    const { subtle } = crypto;
    const data = new Uint8Array(100);
    const again = async (format, key, algorithm, usages) => subtle.importKey(format, await subtle.exportKey(format, key), algorithm, true, usages);
    async function signs(algorithm, how) {
      const { privateKey, publicKey } = await subtle.generateKey(algorithm, true, ["sign", "verify"]);
      const signer = await again("pkcs8", await again("jwk", privateKey, algorithm, ["sign"]), algorithm, ["sign"]);
      const verifier = await again("spki", await again("jwk", publicKey, algorithm, ["verify"]), algorithm, ["verify"]);
      return subtle.verify(how, verifier, await subtle.sign(how, signer, data), data);
    }
    async function agrees(algorithm) {
      const [a, b] = [await subtle.generateKey(algorithm, true, ["deriveBits"]), await subtle.generateKey(algorithm, true, ["deriveBits"])];
      return (await subtle.deriveBits({ ...algorithm, public: b.publicKey }, a.privateKey, null)).byteLength > 31;
    }
    const rsa = (name) => ({ name, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" });
    export default {
      p256() { return signs({ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }); },
      p384() { return signs({ name: "ECDSA", namedCurve: "P-384" }, { name: "ECDSA", hash: "SHA-384" }); },
      p521() { return signs({ name: "ECDSA", namedCurve: "P-521" }, { name: "ECDSA", hash: "SHA-512" }); },
      ed25519() { return signs({ name: "Ed25519" }, "Ed25519"); },
      pkcs1() { return signs(rsa("RSASSA-PKCS1-v1_5"), "RSASSA-PKCS1-v1_5"); },
      pss() { return signs(rsa("RSA-PSS"), { name: "RSA-PSS", saltLength: 32 }); },
      ecdh() { return agrees({ name: "ECDH", namedCurve: "P-384" }); },
      x25519() { return agrees({ name: "X25519" }); },
      async oaep() {
        const { privateKey, publicKey } = await subtle.generateKey(rsa("RSA-OAEP"), true, ["encrypt", "decrypt"]);
        return (await subtle.decrypt("RSA-OAEP", privateKey, await subtle.encrypt("RSA-OAEP", publicKey, data))).byteLength === 100;
      },
      async broken() { return subtle.importKey("pkcs8", data, rsa("RSA-PSS"), true, ["sign"]).catch((error) => error.name === "DataError"); },
    };
  )"));
  for (auto what: {"p256", "p384", "p521", "ed25519", "pkcs1", "pss", "ecdh", "x25519", "oaep", "broken"}) {
    EXPECT_EQ(worker.call(what, {number(1)}), (Answer{"value", "true"})) << what;
  }
}

// Without --rehash-snapshot V8's hash seed is one constant for every process on every machine.
TEST(Zygote, TwoZygotesHaveTwoHashSeeds) {
  JailedZygote one, other;
  NEEDS_JAIL(one);
  NEEDS_JAIL(other);
  EXPECT_NE(one.ready.hashSeedProbe, other.ready.hashSeedProbe);
}

TEST(Zygote, KnowsWhichPagesALoadWillTouch) {
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  EXPECT_GT(zygote.ready.loadPages, 4u);
  EXPECT_LT(zygote.ready.loadPages, 256u);   // each costs an idle worker 4 kB
}

// Rehearsals give their code Node.js's globals, and log.
TEST(Zygote, NothingOfARehearsalIsLeft) {
  constexpr const char* SHOW = R"(
    const show = (object) => Reflect.ownKeys(object).map((key) => {
      const { value, get, writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(object, key);
      return [key, typeof value, typeof value === "function" ? value.name + String(value) : "", typeof get, writable, enumerable, configurable].map(String).join(" ");
    });
    export default { show() { return [...show(globalThis), ...show(console), typeof setTimeout(() => {}, 0), typeof process].join("\n"); } };
  )";
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  auto shownBy = [&](WorkerUnderTest&& worker) {
    EXPECT_TRUE(worker.start(SHOW));
    return worker.call("show", {number(1)});
  };
  auto expected = shownBy(WorkerUnderTest());
  ASSERT_EQ(expected.kind, "value") << expected.shown;
  EXPECT_GT(expected.shown.size(), 4'000u);
  EXPECT_NE(expected.shown.find("number\nundefined"), std::string::npos) << expected.shown;
  EXPECT_EQ(shownBy(WorkerUnderTest(zygote.spawn())), expected);
}

TEST(Zygote, ASealedWorkerDoesOrdinaryWork) {
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  WorkerUnderTest worker(zygote.spawn());
  ASSERT_TRUE(worker.start(R"(export default {
    hot(n) { let s = 0; for (let i = 0; i < n; i++) s += (i ^ 7) % 13; return s > 0; },
    garbage(n) { let keep = []; for (let i = 0; i < n; i++) { keep.push({ i, t: "x" + i }); if (keep.length > 1000) keep = []; } return keep.length; },
    buffers(n) { for (let i = 0; i < n; i++) new Uint8Array(1 << 20)[5] = i; return n; },
    intl(x) { return [new Intl.NumberFormat("de").format(1234.5), new Date(0).toLocaleString("en-GB", { timeZone: "Europe/Paris" }),
                      "ä".localeCompare("z", "de"), new Date(0).toString()]; },
    regexp(x) { return "aaa bbb".replace(/(\w+) (\w+)/u, "$2 $1"); },
    sort(n) { return Array.from({ length: n }, (_, i) => (i * 7919) % n).sort((a, b) => a - b)[5]; },
    timer(ms) { return new Promise((resolve) => setTimeout(resolve, ms, "rang")); },
    throws(x) { throw new Error("stack " + new Error().stack.length); },
    log(x) { console.log("hello", { a: [1, 2] }); return 1; },
    large(n) { return "x".repeat(n); },
    recursion(x) { return this.recursion(x); },
    classes(x) { return structuredClone(new Map([[1, new Set([2])]])).size; },
  })"));
  EXPECT_EQ(worker.call("hot", {number(5e6)}), (Answer{"value", "true"}));
  EXPECT_EQ(worker.call("garbage", {number(1e6)}).kind, "value");
  EXPECT_EQ(worker.call("buffers", {number(300)}).kind, "value");
  EXPECT_EQ(worker.call("intl", {number(1)}),
            (Answer{"value", R"x(["1.234,5","01/01/1970, 01:00:00",-1,"Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)"])x"}));
  EXPECT_EQ(worker.call("regexp", {number(1)}), (Answer{"value", "\"bbb aaa\""}));
  EXPECT_EQ(worker.call("sort", {number(100'000)}), (Answer{"value", "5"}));
  EXPECT_EQ(worker.call("timer", {number(5)}), (Answer{"value", "\"rang\""}));
  EXPECT_EQ(worker.call("throws", {number(1)}).kind, "thrown");
  EXPECT_EQ(worker.call("log", {number(1)}), (Answer{"value", "1"}));
  EXPECT_EQ(worker.call("large", {number(4'000'000)}).shown.size(), 4'000'002u);
  EXPECT_EQ(worker.call("recursion", {number(1)}), (Answer{"thrown", "RangeError: Maximum call stack size exceeded"}));
  EXPECT_EQ(worker.call("classes", {number(1)}), (Answer{"value", "1"}));
}

TEST(Zygote, ASealedWorkerCompresses) {
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  WorkerUnderTest worker(zygote.spawn());
  ASSERT_TRUE(worker.start(R"(export default {
    async roundTrip(format) {
      const source = new ReadableStream({ start(c) { for (let i = 0; i < 40; i++) c.enqueue(new Uint8Array(100_000).fill(i)); c.close(); } });
      let total = 0;
      for await (const chunk of source.pipeThrough(new CompressionStream(format)).pipeThrough(new DecompressionStream(format))) total += chunk.length;
      return total;
    },
  })"));
  for (auto format: {"gzip", "deflate", "deflate-raw"}) EXPECT_EQ(worker.call("roundTrip", {text(format)}), (Answer{"value", "4000000"})) << format;
}

TEST(Zygote, ASealedWorkerDigestsSignsEncryptsAndDerives) {
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  WorkerUnderTest worker(zygote.spawn());
  ASSERT_TRUE(worker.start(R"(
    const { subtle } = crypto;
    const hex = (bytes) => new Uint8Array(bytes).toHex().slice(0, 8);
    const raw = (name, ...usages) => subtle.importKey("raw", new Uint8Array(16), name, false, usages);
    export default {
      async digests(names) { return (await Promise.all(["MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"].map((name) => subtle.digest(name, new Uint8Array(0))))).map(hex); },
      async hmac() { return hex(await subtle.sign("HMAC", await raw({ name: "HMAC", hash: "SHA-256" }, "sign"), new Uint8Array(0))); },
      async gcm() { return hex(await subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, await raw("AES-GCM", "encrypt"), new Uint8Array(0))); },
      async cbc() { return hex(await subtle.encrypt({ name: "AES-CBC", iv: new Uint8Array(16) }, await raw("AES-CBC", "encrypt"), new Uint8Array(0))); },
      async ctr() { return hex(await subtle.encrypt({ name: "AES-CTR", counter: new Uint8Array(16), length: 64 }, await raw("AES-CTR", "encrypt"), new Uint8Array(16))); },
      async kw() {
        const key = await subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]);
        return (await subtle.wrapKey("raw", key, await raw("AES-KW", "wrapKey"), "AES-KW")).byteLength;
      },
      async pbkdf2() { return hex(await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(8), iterations: 1000 }, await raw("PBKDF2", "deriveBits"), 64)); },
      async hkdf() { return hex(await subtle.deriveBits({ name: "HKDF", hash: "SHA-512", salt: new Uint8Array(8), info: new Uint8Array(0) }, await raw("HKDF", "deriveBits"), 64)); },
      async large(bytes) { return hex(await subtle.digest("SHA-256", new Uint8Array(bytes))); },
    };
  )"));
  EXPECT_EQ(worker.call("digests", {number(1)}), (Answer{"value", R"(["d41d8cd9","da39a3ee","e3b0c442","38b060a7","cf83e135"])"}));
  EXPECT_EQ(worker.call("hmac", {number(1)}), (Answer{"value", "\"b613679a\""}));
  EXPECT_EQ(worker.call("gcm", {number(1)}), (Answer{"value", "\"58e2fcce\""}));
  EXPECT_EQ(worker.call("cbc", {number(1)}), (Answer{"value", "\"0143db63\""}));
  EXPECT_EQ(worker.call("ctr", {number(1)}), (Answer{"value", "\"66e94bd4\""}));
  EXPECT_EQ(worker.call("kw", {number(1)}), (Answer{"value", "24"}));
  EXPECT_EQ(worker.call("pbkdf2", {number(1)}).kind, "value");
  EXPECT_EQ(worker.call("hkdf", {number(1)}).kind, "value");
  EXPECT_EQ(worker.call("large", {number(20'000'000)}).kind, "value");
}

TEST(Zygote, ASealedWorkerIsStoppedByTheSignalAndGoesOn) {
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  WorkerUnderTest worker(zygote.spawn());
  ASSERT_TRUE(worker.start("export default { loop() { for (;;) { try { for (;;); } catch {} } }, ok() { return 1; } }"));
  auto looping = worker.callLater("loop", {number(1)});
  // Sent often, because the first may come before the call does.
  kj::Function<kj::Promise<Answer>()> nag = [&]() {
    return worker.io.provider->getTimer().afterDelay(20 * kj::MILLISECONDS).then([&]() {
      syscall(SYS_pidfd_send_signal, zygote.pidfd, zygote::TERMINATE_SIGNAL, nullptr, 0);
      return nag();
    });
  };
  EXPECT_EQ(looping.exclusiveJoin(nag()).wait(worker.io.waitScope), (Answer{"terminated", ""}));
  EXPECT_EQ(worker.call("ok", {number(1)}), (Answer{"value", "1"}));
}

TEST(Zygote, ASealedWorkerThatUsesUpItsHeapSaysSo) {
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  WorkerUnderTest worker(zygote.spawn());
  ASSERT_TRUE(worker.start({{"m.js", "export default { eat() { const all = []; for (;;) all.push(new Array(100).fill({})); } }"}}, {}, 64));
  EXPECT_EQ(worker.call("eat", {number(1)}), (Answer{"exceededMemory", ""}));
}

TEST(Zygote, AWorkerEndsWithItsSocket) {
  JailedZygote zygote;
  NEEDS_JAIL(zygote);
  { WorkerUnderTest worker(zygote.spawn()); ASSERT_TRUE(worker.start("export default {}")); }
  EXPECT_EQ(zygote.nextEnd(), zygote::EXIT_DISCONNECTED);
}

}  // namespace
}  // namespace glovebox
