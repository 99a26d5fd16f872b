#!/bin/bash -eu
# SPDX-License-Identifier: MIT
#
# Builds the fuzzers as OSS-Fuzz and its like expect: by $CXX with $CXXFLAGS, linked with $LIB_FUZZING_ENGINE; program,
# dictionary and corpus of each into $OUT. $SRC holds this tree in pantry/; without it, the tree is where this file is. Needs
# CMake, Ninja, pkg-config, python3, libdrm's headers, fmt and spdlog (Debian: libdrm-dev, libfmt-dev, libspdlog-dev), of which
# only headers go into the programs. By hand:
#
#     export CC=clang-19 CXX=clang++-19 CXXFLAGS='-O1 -g -fsanitize=address,undefined,fuzzer-no-link' \
#            CFLAGS="$CXXFLAGS" LIB_FUZZING_ENGINE=-fsanitize=fuzzer OUT=/tmp/out
#     fuzz/build.sh [NAME_fuzz...]
tree=${SRC:+$SRC/pantry}
tree=${tree:-$(cd "$(dirname "$0")/.." && pwd)}
build=${WORK:-$OUT/build}
mapfile -t fuzzers < <(cd "$tree/fuzz" && printf '%s\n' *_fuzz.cc | sed 's/\.cc$//')
[ $# = 0 ] || fuzzers=("$@")

cmake -S "$tree" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" \
  -DCMAKE_C_FLAGS="${CFLAGS:-}" -DCMAKE_CXX_FLAGS="${CXXFLAGS:-${CFLAGS:-}}" -DPANTRY_TRAPS=ON -DPANTRY_BUILD_TESTS=OFF -DPANTRY_FUZZ=ON \
  -DPANTRY_FUZZ_ENGINE="$LIB_FUZZING_ENGINE"
cmake --build "$build" --target fuzz_seeds "${fuzzers[@]}"

# The seeds are made by a program that no sanitizer needs to watch for leaks.
ASAN_OPTIONS=detect_leaks=0 "$build/fuzz_seeds" "$build/seeds"
"$tree/fuzz/corpora.py" unpack "$build/seeds"
mkdir -p "$OUT"
for fuzzer in "${fuzzers[@]}"; do
  cp "$build/$fuzzer" "$OUT/"
  dictionary=$tree/fuzz/$fuzzer.dict
  [ ! -f "$dictionary" ] || cp "$dictionary" "$OUT/"
  printf '[libfuzzer]\nmax_len = 2048\ntimeout = 60\nrss_limit_mb = 4096\n' >"$OUT/$fuzzer.options"
  (cd "$build/seeds/$fuzzer" && rm -f "$OUT/${fuzzer}_seed_corpus.zip" && python3 -m zipfile -c "$OUT/${fuzzer}_seed_corpus.zip" ./*)
done
