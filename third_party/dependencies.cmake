# SPDX-License-Identifier: BSD-3-Clause
# Finds the outside libraries (see README.md beside this file). All come from the distribution.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

function(pinion_find target package)
  string(REPLACE "::" "_" id ${target})
  pkg_check_modules(${id} REQUIRED IMPORTED_TARGET GLOBAL ${package})
  add_library(${target} ALIAS PkgConfig::${id})
endfunction()

pinion_find(ck::ck ck)
pinion_find(jemalloc::jemalloc jemalloc)
pinion_find(xxhash::xxhash libxxhash)
pinion_find(openssl::ssl openssl)
pinion_find(zlib::zlib zlib)
pinion_find(cyaml::cyaml libcyaml)
pinion_find(jansson::jansson jansson)
pinion_find(curl::curl libcurl)
pinion_find(argon2::argon2 libargon2)
pinion_find(uring::uring liburing)
if(PINION_TESTS)
  pinion_find(cmocka::cmocka cmocka)
endif()
