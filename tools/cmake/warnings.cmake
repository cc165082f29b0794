# SPDX-License-Identifier: BSD-3-Clause
# One set of flags for everything of ours, as the interface library pinion_flags.
add_library(pinion_flags INTERFACE)
target_include_directories(pinion_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
target_compile_definitions(pinion_flags INTERFACE _GNU_SOURCE PINION_VERSION="${PROJECT_VERSION}")
target_compile_options(pinion_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wvla -Werror
  -fno-strict-aliasing -fstack-protector-strong -g)
target_link_options(pinion_flags INTERFACE -Wl,-z,relro,-z,now)

if(CMAKE_BUILD_TYPE MATCHES "Rel")
  target_compile_definitions(pinion_flags INTERFACE _FORTIFY_SOURCE=2)
endif()

if(PINION_SANITIZE)
  target_compile_options(pinion_flags INTERFACE
    -fsanitize=${PINION_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(pinion_flags INTERFACE -fsanitize=${PINION_SANITIZE})
endif()
