# SPDX-License-Identifier: BSD-3-Clause
# What is installed beside the program, and the Debian package made of it (tools/package).
include(GNUInstallDirs)
find_program(GZIP gzip)

# gzipped(FROM TO): TO.gz, the same bytes whenever it is made, as Debian wants manual pages.
function(pinion_gzipped from to)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${from})
  execute_process(COMMAND ${GZIP} -9nc ${from} OUTPUT_FILE ${to} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(made ${CMAKE_BINARY_DIR}/packaging)
file(MAKE_DIRECTORY ${made})
configure_file(tools/packaging/systemd/pinion.service.in ${made}/pinion.service @ONLY)

install(TARGETS pinion RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# An installed broker keeps its data, where the service may write.
file(READ tools/pinion.example.yaml settings)
string(REPLACE "# data:\n#   dir:" "data:\n  dir:" settings_kept "${settings}")
string(REPLACE "\n#   durability:" "\n  # durability:" settings_kept "${settings_kept}")
if(settings STREQUAL settings_kept)
  message(FATAL_ERROR "tools/pinion.example.yaml has no data.dir to be set")
endif()
file(WRITE ${made}/pinion.yaml "${settings_kept}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS tools/pinion.example.yaml)
install(FILES ${made}/pinion.yaml DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/pinion)
install(FILES ${made}/pinion.service DESTINATION lib/systemd/system)
install(FILES tools/completion/pinion.bash RENAME pinion
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
file(GLOB pages CONFIGURE_DEPENDS docs/*.md)
install(FILES ${pages} README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES tools/packaging/systemd/pinion.socket tools/pinion.example.yaml
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
if(GZIP)
  pinion_gzipped(${CMAKE_SOURCE_DIR}/docs/pinion.1 ${made}/pinion.1.gz)
  install(FILES ${made}/pinion.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
else()
  install(FILES docs/pinion.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

# ---- Debian ---------------------------------------------------------------------------------

if(CMAKE_INSTALL_PREFIX STREQUAL "/usr" AND GZIP)
  file(STRINGS LICENSE lines)
  list(SUBLIST lines 3 -1 lines) # without its name and the line of the copyright
  foreach(line ${lines})
    string(APPEND license_text " ${line}\n")
  endforeach()
  configure_file(tools/packaging/debian/copyright.in ${made}/copyright @ONLY)
  configure_file(tools/packaging/debian/changelog.in ${made}/changelog @ONLY)
  pinion_gzipped(${made}/changelog ${made}/changelog.gz)
  install(FILES ${made}/copyright ${made}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME pinion)
set(CPACK_PACKAGE_CONTACT "The Pinion authors <pinion@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "message broker for many cores")
set(CPACK_PACKAGE_DESCRIPTION
  "Pinion speaks MQTT 3.1, 3.1.1 and 5.0 over TCP, TLS and WebSocket. \
One thread per core owns its clients and topics, and cores talk by mail.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(script postinst prerm postrm conffiles)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/tools/packaging/debian/${script})
endforeach()
include(CPack)
