# Installs the build, builds examples/minimal.c against the installed package (CMake, shared and static; pkg-config),
# and runs all of them and the build's own on a golden picture: the same lines. Asks pkg-config for absolute folders. Configures a project that has the folder
# in its own tree. Asks the examples for what they refuse.
#   cmake -DBUILD=... -DSOURCE=... -DWORK=... -DMINIMAL=... -DBANDS=... -DTEST_BANDS=... [-DCC=... -DFLAGS=...] -P installed.cmake
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
do(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer -B ${WORK}/embedded -DRUNTIME=${SOURCE}
   -DMINIMAL=${SOURCE}/examples/minimal.c -DCMAKE_C_COMPILER=${CC} "-DCMAKE_C_FLAGS=${FLAGS}")
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

  set(q ${WORK}/absolute/q)
  foreach(folders "LIBDIR=${q}/lib" "INCLUDEDIR=${q}/include")
    do(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/absolute -DCMAKE_INSTALL_PREFIX=${q} -DCMAKE_INSTALL_LIBDIR=lib
       -DCMAKE_INSTALL_INCLUDEDIR=include -DCMAKE_INSTALL_${folders} -DAOIENET_TESTS=OFF)
    set(ENV{PKG_CONFIG_PATH} ${WORK}/absolute)
    execute_process(COMMAND ${PKG_CONFIG} --cflags --libs aoienet OUTPUT_VARIABLE words)
    if(NOT words MATCHES "-I${q}/include -L${q}/lib ")
      message(FATAL_ERROR "with ${folders} pkg-config says -I${q}/include -L${q}/lib; received ${words}")
    endif()
  endforeach()
endif()

# The example of bands: overlapping blocks (96 rows, 96 columns are whole blocks), and blocks that stand apart.
function(same_in_bands model pixels from h w)
  execute_process(COMMAND tail -c +${from} ${pixels} COMMAND ${MINIMAL} ${model} ${h} ${w} OUTPUT_VARIABLE whole)
  execute_process(COMMAND tail -c +${from} ${pixels} COMMAND ${BANDS} ${model} ${h} ${w} 1 OUTPUT_VARIABLE banded)
  if(whole STREQUAL "" OR NOT banded STREQUAL whole)
    message(FATAL_ERROR "bands print what one run prints; received\n${banded}instead of\n${whole}")
  endif()
endfunction()
do(${TEST_BANDS} ${golden} ${WORK})
same_in_bands(${golden}/scan.aoie ${golden}/scan.golden 29 96 96)
same_in_bands(${WORK}/sparse.aoie ${WORK}/sparse.raw 1 52 20)

# What the examples refuse. A folder must not be taken for a file of a size that no memory has: with little memory.
function(refuses words)
  execute_process(COMMAND sh -c "exec </dev/null; ${ARGN}" RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE said)
  if(status EQUAL 0 OR NOT said MATCHES "${words}")
    message(FATAL_ERROR "'${ARGN}' fails and says '${words}'; received (${status}): ${out}${said}")
  endif()
endfunction()
refuses("sides of 64" "${BANDS} ${golden}/scan.aoie 0 96 1")
refuses("sides of 64" "${BANDS} ${golden}/scan.aoie wide 96 1")
refuses("too few pixels" "${BANDS} ${golden}/scan.aoie 96 96 1")
refuses("at least one block" "${MINIMAL} ${golden}/scan.aoie 0 96")
if(FLAGS STREQUAL "")  # a sanitizer takes much memory itself
  refuses("can be read" "ulimit -v 300000; ${MINIMAL} ${golden} 96 96")
endif()

foreach(program ${programs})
  logits(${program} have)
  if(NOT have STREQUAL want)
    message(FATAL_ERROR "${program} prints the same logits as ${MINIMAL}; received\n${have}instead of\n${want}")
  endif()
  message(STATUS "${program}: the same logits")
endforeach()
