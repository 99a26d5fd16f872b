# SPDX-License-Identifier: MIT
#
# Sourced by the other scripts, from the root of the tree: what they all set.
export LC_ALL=C.UTF-8
# Builds of a user without a home folder still get a compiler cache.
[ -n "${HOME:-}" ] && [ -w "${HOME:-}" ] || export CCACHE_DIR="${CCACHE_DIR:-$PWD/build/ccache}"
# How many compilers and tests run at once.
jobs=${PANTRY_JOBS:-$(nproc)}

# build PRESET [TARGET...]: everything of that preset, or the targets; with traps, so that no test and no campaign passes with an
# allocation on the signalling path.
build() {
  preset=$1
  shift
  cmake --preset "$preset" -DPANTRY_TRAPS=ON && cmake --build "build/$preset" -j "$jobs" ${1:+--target "$@"}
}
