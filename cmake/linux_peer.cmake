# SPDX-License-Identifier: MIT
#
# The other side of the benchmarks: Linux's own page-table and VA-tree code as an ordinary library, from Debian's package
# linux-source-6.12, unpacked into the build folder and compiled behind the headers of bench/linux_shim. Where the package is
# not installed the library says so (linux_peer_installed) and the benchmarks measure our side alone.

set(PANTRY_LINUX_SOURCE /usr/src/linux-source-6.12.tar.xz CACHE FILEPATH "Sources of Linux 6.12 for the benchmarks")

# What is measured, and the headers that are its interface or its body.
set(PANTRY_LINUX_MEASURED
  drivers/gpu/drm/drm_gpuvm.c
  drivers/iommu/io-pgtable-arm.c
  drivers/iommu/io-pgtable.c
  lib/rbtree.c)
set(PANTRY_LINUX_HEADERS
  drivers/iommu/io-pgtable-arm.h
  include/drm/drm_gpuvm.h
  include/linux/interval_tree_generic.h
  include/linux/io-pgtable.h
  include/linux/list.h
  include/linux/rbtree.h
  include/linux/rbtree_augmented.h
  include/linux/rbtree_types.h)

# `sources`: of the room bench/linux_peer. absent.c stands in for all others.
function(pantry_add_linux_peer target sources)
  set(absent ${sources})
  list(FILTER absent INCLUDE REGEX "/absent\\.c$")
  if(NOT EXISTS ${PANTRY_LINUX_SOURCE})
    message(STATUS "${PANTRY_LINUX_SOURCE} is not there: benchmarks without Linux's side")
    add_library(${target} STATIC ${absent})
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
    return()
  endif()

  list(REMOVE_ITEM sources ${absent})
  set(tree ${CMAKE_BINARY_DIR}/linux_peer)
  set(members ${PANTRY_LINUX_MEASURED} ${PANTRY_LINUX_HEADERS})
  list(TRANSFORM members PREPEND "*/" OUTPUT_VARIABLE patterns)
  list(TRANSFORM members PREPEND "${tree}/" OUTPUT_VARIABLE unpacked)
  add_custom_command(OUTPUT ${unpacked}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${tree}
    # -m: unpacked now, so newer than the package.
    COMMAND tar -xJmf ${PANTRY_LINUX_SOURCE} -C ${tree} --strip-components=1 --wildcards --no-wildcards-match-slash ${patterns}
    DEPENDS ${PANTRY_LINUX_SOURCE}
    COMMENT "Unpacking what is measured of ${PANTRY_LINUX_SOURCE}"
    VERBATIM)
  list(TRANSFORM PANTRY_LINUX_MEASURED PREPEND "${tree}/" OUTPUT_VARIABLE measured)
  # The flags of our own code, and what the kernel's needs: it aliases, and arithmetic wraps. Its functions may be inlined
  # into one another, as they are in the kernel and as ours are. Aligned, since where its loops came to lie made an unmap of
  # 511 pages take 280 or 510 ns, from one link to the next; this way it is the faster of the two.
  add_library(${target} STATIC ${sources} ${measured} ${unpacked})
  target_compile_options(${target} PRIVATE
    -std=gnu11 -fno-omit-frame-pointer -fno-strict-aliasing -fwrapv -fno-delete-null-pointer-checks -fno-semantic-interposition
    -falign-functions=64)
  target_compile_definitions(${target} PRIVATE CONFIG_IOMMU_IO_PGTABLE_LPAE)
  target_include_directories(${target}
    PUBLIC ${CMAKE_SOURCE_DIR}
    PRIVATE ${CMAKE_SOURCE_DIR}/bench/linux_shim)
  target_include_directories(${target} SYSTEM PRIVATE ${tree}/include)
  # Ours is held to our warnings. Linux's code is not ours to change, but must find all that it declares.
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "-Wall;-Wextra;-Werror")
  set_source_files_properties(${measured} PROPERTIES COMPILE_OPTIONS
    "-Werror=implicit;-Werror=int-conversion;-Werror=incompatible-pointer-types")
endfunction()
