/* Vectors and reset of a Cortex-M with FPU; the words of the linker script mps2.ld. */
#include <stdint.h>
#include <string.h>

#include "board.h"

extern uint32_t data_begin, data_end, data_source, bss_begin, bss_end, stack_bottom, stack_top;
int main(void);
void reset(void);
void start(void);

long board_call(long operation, const void* argument) { /* semihosting: the debugger, or qemu, does it */
  register long r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void board_print(const char* text) { board_call(0x04, text); } /* SYS_WRITE0 */

void board_exit(int code) { /* SYS_EXIT_EXTENDED, ADP_Stopped_ApplicationExit */
  const uint32_t block[2] = {0x20026, (uint32_t)code};
  for (;;) board_call(0x20, block);
}

/* How deep the stack was: reset filled it. */
uint32_t board_stack_bytes(void) {
  const uint32_t* at = &stack_bottom;
  while (at < &stack_top && *at == 0xA5A5A5A5u) ++at;
  return (uint32_t)((const char*)&stack_top - (const char*)at);
}

static void fault(void) {
  board_print("a fault of the processor\n");
  board_exit(3);
}

__attribute__((naked)) void reset(void) { /* naked: the frame must not lie in the stack that is filled here */
  __asm__ volatile(
      "ldr r0, =stack_bottom\n ldr r1, =stack_top\n ldr r2, =0xA5A5A5A5\n"
      "1: cmp r0, r1\n it lo\n strlo r2, [r0], #4\n blo 1b\n"
      "b start\n");
}

__attribute__((used)) void start(void) {
  *(volatile uint32_t*)0xE000ED88u |= 0xFu << 20; /* CPACR: the FPU is on */
  __asm__ volatile("dsb\n isb");
  memcpy(&data_begin, &data_source, (size_t)((char*)&data_end - (char*)&data_begin));
  memset(&bss_begin, 0, (size_t)((char*)&bss_end - (char*)&bss_begin));
  board_exit(main());
}

__attribute__((section(".vectors"), used)) static const void* const vectors[16] = {
    &stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault};
