# find_package(aoienet) gives aoienet::shared and aoienet::static; aoienet::aoienet is the shared one.
include("${CMAKE_CURRENT_LIST_DIR}/aoienetTargets.cmake")
if(NOT TARGET aoienet::aoienet)
  add_library(aoienet::aoienet ALIAS aoienet::shared)
endif()
