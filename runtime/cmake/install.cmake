# The shared library beside the static one, and what `cmake --install` puts where find_package(aoienet) and pkg-config
# look.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(aoienet_shared SHARED $<TARGET_OBJECTS:aoienet_runtime>)
target_include_directories(aoienet_shared PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
set_target_properties(aoienet_shared PROPERTIES OUTPUT_NAME aoienet EXPORT_NAME shared LINKER_LANGUAGE C
                      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
if(UNIX)
  target_link_libraries(aoienet_shared PRIVATE m)
endif()
if(AOIENET_SANITIZE)
  target_link_options(aoienet_shared PUBLIC -fsanitize=address,undefined)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/aoienet)
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
  set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()  # what is installed may be moved
  file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  set(pc_prefix "\${pcfiledir}/${prefix_from_pc}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/aoienet.pc.in aoienet.pc @ONLY)
write_basic_package_version_file(aoienetConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS aoienet_runtime aoienet_shared EXPORT aoienetTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/aoienet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT aoienetTargets NAMESPACE aoienet:: DESTINATION ${package_dir})
install(FILES cmake/aoienetConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/aoienetConfigVersion.cmake
        DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/aoienet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
