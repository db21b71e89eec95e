#pragma once
// The layers of the jail, by name. One list, used by the code that puts them on, by the start-up check that refuses
// to go on without one, by --allow-missing, by the status output and by the audit.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace glovebox::policy {

enum class Layer : uint32_t {
  USER_NAMESPACE,
  PID_NAMESPACE,
  MOUNT_NAMESPACE,
  NET_NAMESPACE,
  IPC_NAMESPACE,
  UTS_NAMESPACE,
  CGROUP_NAMESPACE,
  EMPTY_ROOT,
  WORKER_UID,
  CAPABILITIES,
  NO_NEW_PRIVS,
  RLIMITS,
  LANDLOCK,
  NOT_DUMPABLE,
  SECCOMP,
  SPECULATION,
  CGROUP_MEMORY,
  CGROUP_PIDS,
  CGROUP_CPU,
};
constexpr uint32_t LAYER_COUNT = 19;

enum class Need : uint8_t {
  REQUIRED,        // its absence stops the start
  WHERE_POSSIBLE,  // depends on privileges or hardware that a good machine may not have; the status says whether it is on
};

struct LayerInfo {
  Layer layer;
  std::string_view name;     // as in --allow-missing=NAME
  Need need;
  std::string_view purpose;  // what it keeps out
  std::string_view fix;      // what to do if it is missing
};

// In the order of the enumeration.
extern const std::array<LayerInfo, LAYER_COUNT> LAYERS;

inline const LayerInfo& info(Layer layer) { return LAYERS[static_cast<uint32_t>(layer)]; }
std::optional<Layer> tryParseLayer(std::string_view name);

// A set of layers, as it travels in zygote::Configure and zygote::ZygoteReady.
class LayerSet {
 public:
  constexpr LayerSet() = default;
  constexpr explicit LayerSet(uint32_t bits): bits_(bits) {}
  constexpr bool has(Layer layer) const { return bits_ & (1u << static_cast<uint32_t>(layer)); }
  constexpr void add(Layer layer) { bits_ |= 1u << static_cast<uint32_t>(layer); }
  constexpr void remove(Layer layer) { bits_ &= ~(1u << static_cast<uint32_t>(layer)); }
  constexpr uint32_t bits() const { return bits_; }
  constexpr bool operator==(const LayerSet&) const = default;

 private:
  uint32_t bits_ = 0;
};

}  // namespace glovebox::policy
