# Cortex-M4F without an operating system (Debian: gcc-arm-none-eabi libnewlib-arm-none-eabi
# libstdc++-arm-none-eabi-newlib qemu-system-arm); its instructions run on a Cortex-M7 too.
#   cmake -S runtime/cortex-m -B build/cortex-m -DCMAKE_TOOLCHAIN_FILE=../cmake/cortex-m.cmake
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(board "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -ffunction-sections -fdata-sections -Wno-psabi")
set(CMAKE_C_FLAGS_INIT "${board}")
set(CMAKE_CXX_FLAGS_INIT "${board}")
set(CMAKE_ASM_FLAGS_INIT "${board}")
