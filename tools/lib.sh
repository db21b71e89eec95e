# Shared by the scripts of this folder; sourced, not run. Every command that changes something goes through `run`,
# which prints it first, to stderr, so that stdout stays the tool's own.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${GLOVEBOX_BUILD_DIR:-$ROOT/build}

# Touched after each successful build; older than the checkout's HEAD means that the binaries may be stale.
BUILT_STAMP=$BUILD/.glovebox-built

say() { printf '%s\n' "$*" >&2; }

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

run() {
  printf '+ %s\n' "${*@Q}" | sed "s/'\([A-Za-z0-9_.,:=+\/@%-]*\)'/\1/g" >&2
  "$@"
}

# The comment block at the top of a script is its --help.
help_of() { sed -n '2,/^[^#]/{/^#/{s/^# \{0,1\}//p}}' "$1"; }

# configure DIR [meson options...]: makes or adjusts a build directory. An option that already has its value costs nothing.
configure() {
  local dir=$1
  shift
  if [ -e "$dir" ] && [ ! -w "$dir" ]; then
    fail "the build directory $dir belongs to somebody else (you are $(id -un))" \
      "Choose one of your own: GLOVEBOX_BUILD_DIR=\$HOME/glovebox-build $0"
  fi
  if [ ! -f "$dir/build.ninja" ]; then
    run meson setup "$dir" "$ROOT" "$@" >&2
  elif [ $# -gt 0 ] && [ "$(cat "$dir/.glovebox-options" 2>/dev/null)" != "$*" ]; then
    run meson configure "$dir" "$@" >&2
  fi
  [ $# = 0 ] || printf '%s' "$*" > "$dir/.glovebox-options"
}

build() {
  local dir=$1
  shift
  # Meson's ninja warns about nothing to do; that is fine.
  run ninja -C "$dir" "$@" >&2 || fail "the build failed; the compiler's message stands above" \
    "If libraries or headers are missing: tools/setup" \
    "If the build directory itself is broken: rm -r $dir and try again"
  if [ "$dir" = "$BUILD" ] && [ $# = 0 ]; then touch "$BUILT_STAMP"; fi
}
