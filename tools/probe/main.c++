// glovebox-probe: takes the place of a zygote in the jail and tries to get out. Without a flag it is that zygote.

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "tools/probe/control.h"
#include "tools/probe/probe-record.h"
#include "tools/probe/zygote.h"

namespace {

using namespace glovebox::probe;
using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr int EXIT_CONTROL_REFUSED = 1;
constexpr int EXIT_CONTROL_NOT_RUN = 3;
constexpr int EXIT_USAGE = 64;
constexpr int EXIT_BROKEN = 70;

void write(Writer& writer, const char* key, std::string_view text) {
  writer.Key(key);
  writer.String(text.data(), text.size());
}

std::string_view knownName(Known known) {
  switch (known) {
    case Known::NOTHING: return "";
    case Known::KERNEL_EXCEPTION: return "kernel-exception";
    case Known::PROFILE_DEFAULT: return "profile-default";
    case Known::CLOCK: return "clock";
  }
  return "";
}

void listAsJson() {
  rapidjson::StringBuffer text;
  Writer writer(text);
  writer.StartArray();
  uint64_t id = FIRST_ATTEMPT_ID;
  for (const Attempt& attempt : allAttempts()) {
    writer.StartObject();
    writer.Key("id");
    writer.Uint64(id++);
    write(writer, "name", attempt.name);
    write(writer, "group", groupName(attempt.group));
    write(writer, "goal", attempt.goal);
    writer.Key("harmless");
    writer.Bool(attempt.harmless());
    if (!attempt.harmless()) write(writer, "notRunOutside", attempt.control);
    if (attempt.known != Known::NOTHING) {
      write(writer, "known", knownName(attempt.known));
      write(writer, "remark", attempt.remark);
    }
    writer.EndObject();
  }
  writer.EndArray();
  std::puts(text.GetString());
}

void listAsText() {
  for (const Attempt& attempt : allAttempts()) {
    std::printf("%-28.*s %-11.*s %.*s%s\n", int(attempt.name.size()), attempt.name.data(),
                int(groupName(attempt.group).size()), groupName(attempt.group).data(), int(attempt.goal.size()),
                attempt.goal.data(), attempt.harmless() ? "" : " (not run outside)");
  }
}

int control(const std::string& name) {
  const Attempt* attempt = tryFindAttempt(name);
  if (attempt == nullptr) {
    std::fprintf(stderr, "no attempt is called \"%s\"; glovebox-probe --list shows them all\n", name.c_str());
    return EXIT_USAGE;
  }
  if (!attempt->harmless()) {
    std::printf("not run: %.*s\n", int(attempt->control.size()), attempt->control.data());
    return EXIT_CONTROL_NOT_RUN;
  }
  Verdict verdict = runControl(*attempt);
  std::string_view judgement = judgementName(verdict.judgement);
  std::printf("%.*s %s\n", int(judgement.size()), judgement.data(), verdict.how.c_str());
  return verdict.judgement == Judgement::MET ? 0 : EXIT_CONTROL_REFUSED;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Tries to get out of Glovebox's jail. Without options it speaks the zygote's protocol on descriptor 3,\n"
      "and each worker it is asked for makes one attempt.");
  bool list = false, json = false, exitGoalMet = false;
  std::string controlName;
  app.add_flag("--list", list, "Print every attempt");
  app.add_flag("--json", json, "With --list: as JSON");
  app.add_option("--control", controlName,
                 "Make one attempt outside the jail, if that is harmless, and print how it went");
  app.add_flag("--exit-goal-met", exitGoalMet, "Only exit: an attempt to execute this program has met its goal")
      ->group("");
  CLI11_PARSE(app, argc, argv);

  if (exitGoalMet) return EXIT_GOAL_MET;
  if (list) {
    json ? listAsJson() : listAsText();
    return 0;
  }
  if (!controlName.empty()) return control(controlName);
  allAttempts();  // built before any fork
  return runZygote();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "glovebox-probe: %s\n", e.what());
    return EXIT_BROKEN;
  }
}
