# SPDX-License-Identifier: MIT
#
# pantry_flags: everything that hosts the driver or the device. pantry_client_flags: what stands in for a customer's program
# (igt tests, examples), never sanitized, since it runs in another process under a preloaded library.
# pantry_shim_flags: the preloaded library itself.

add_library(pantry_warnings INTERFACE)
target_compile_options(pantry_warnings INTERFACE -Wall -Wextra -Werror -fno-omit-frame-pointer)
target_include_directories(pantry_warnings INTERFACE ${CMAKE_SOURCE_DIR})
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(pantry_warnings INTERFACE
    -Wthread-safety -Wthread-safety-beta -Werror=thread-safety -Werror=thread-safety-beta)
endif()

add_library(pantry_flags INTERFACE)
target_link_libraries(pantry_flags INTERFACE pantry_warnings Threads::Threads)
if(NOT PANTRY_SANITIZE)
  # A section for each function, so that scripts/check-run-path sees who calls whom.
  target_compile_options(pantry_flags INTERFACE -ffunction-sections -fdata-sections)
endif()
if(PANTRY_SANITIZE)
  list(JOIN PANTRY_SANITIZE "," sanitizers)
  target_compile_options(pantry_flags INTERFACE -O1 -fsanitize=${sanitizers} -fno-sanitize-recover=all)
  target_link_options(pantry_flags INTERFACE -fsanitize=${sanitizers})
endif()
if(PANTRY_TRAPS)
  target_compile_definitions(pantry_flags INTERFACE PANTRY_TRAPS=1)
endif()

# Comes last in a test: with a sanitizer, its own code takes twice as long to compile at -O1.
add_library(pantry_test_flags INTERFACE)
if(PANTRY_SANITIZE)
  target_compile_options(pantry_test_flags INTERFACE -O0)
endif()

add_library(pantry_client_flags INTERFACE)
target_link_libraries(pantry_client_flags INTERFACE pantry_warnings PkgConfig::LIBDRM Threads::Threads)
target_include_directories(pantry_client_flags INTERFACE ${CMAKE_SOURCE_DIR}/uapi/include)

# The shim is loaded into programs that may not know C++: no exceptions, no type information, no C++ library. The two -U
# keep libc's entry points under their own names (with them, open becomes open64 or __open_2).
add_library(pantry_shim_flags INTERFACE)
target_link_libraries(pantry_shim_flags INTERFACE pantry_warnings)
target_include_directories(pantry_shim_flags INTERFACE ${CMAKE_SOURCE_DIR}/uapi/include)
target_compile_options(pantry_shim_flags INTERFACE
  -fno-exceptions -fno-rtti -fno-threadsafe-statics -fvisibility=hidden
  -U_FORTIFY_SOURCE -U_FILE_OFFSET_BITS)
