# Installs the build, builds examples/minimal.c against the installed package (CMake, shared and static; pkg-config),
# and runs all of them and the build's own on a golden picture: the same lines.
#   cmake -DBUILD=... -DSOURCE=... -DWORK=... -DMINIMAL=... -DBANDS=... [-DCC=... -DFLAGS=...] -P installed.cmake
set(golden ${SOURCE}/tests/golden)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(do)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "a step of the consumer fails (${status}): ${ARGN}\n${said}")
  endif()
endfunction()

function(logits program out)  # 96 x 130 pixels stand behind the 28 bytes of the golden file's head
  execute_process(COMMAND tail -c +29 ${golden}/scan.golden COMMAND ${program} ${golden}/scan.aoie 96 130
                  RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE why)
  if(NOT status EQUAL 0 OR NOT said MATCHES "^([-0-9.e]+ [-0-9.e]+\n)+$")
    message(FATAL_ERROR "${program} prints two logits per decision; received (${status}): ${said}${why}")
  endif()
  set(${out} "${said}" PARENT_SCOPE)
endfunction()

logits(${MINIMAL} want)
do(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
do(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix
   -DMINIMAL=${SOURCE}/examples/minimal.c -DCMAKE_C_COMPILER=${CC} "-DCMAKE_C_FLAGS=${FLAGS}")
do(${CMAKE_COMMAND} --build ${WORK}/build)
set(programs ${WORK}/build/minimal_aoienet ${WORK}/build/minimal_static)

find_program(PKG_CONFIG pkg-config)
if(PKG_CONFIG)
  file(GLOB_RECURSE pc ${WORK}/prefix/*/aoienet.pc)
  get_filename_component(folder ${pc} DIRECTORY)
  set(ENV{PKG_CONFIG_PATH} ${folder})
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs aoienet OUTPUT_VARIABLE words OUTPUT_STRIP_TRAILING_WHITESPACE)
  separate_arguments(words UNIX_COMMAND "${words} ${FLAGS}")
  get_filename_component(library ${folder} DIRECTORY)
  do(${CC} ${SOURCE}/examples/minimal.c ${words} -Wl,-rpath,${library} -o ${WORK}/minimal_pkg)
  list(APPEND programs ${WORK}/minimal_pkg)
endif()

# The example of bands: 96 rows, 96 columns are whole blocks.
execute_process(COMMAND tail -c +29 ${golden}/scan.golden COMMAND ${MINIMAL} ${golden}/scan.aoie 96 96
                OUTPUT_VARIABLE whole)
execute_process(COMMAND tail -c +29 ${golden}/scan.golden COMMAND ${BANDS} ${golden}/scan.aoie 96 96 1
                OUTPUT_VARIABLE banded)
if(whole STREQUAL "" OR NOT banded STREQUAL whole)
  message(FATAL_ERROR "bands print what one run prints; received\n${banded}instead of\n${whole}")
endif()

foreach(program ${programs})
  logits(${program} have)
  if(NOT have STREQUAL want)
    message(FATAL_ERROR "${program} prints the same logits as ${MINIMAL}; received\n${have}instead of\n${want}")
  endif()
  message(STATUS "${program}: the same logits")
endforeach()
