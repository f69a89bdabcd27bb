/* What main.c wants of the board. */
#ifndef AOIENET_CORTEX_M_BOARD_H_
#define AOIENET_CORTEX_M_BOARD_H_

#include <stdint.h>

void board_print(const char* text);
void board_exit(int code) __attribute__((noreturn));
uint32_t board_stack_bytes(void); /* used at most until now */

#endif /* AOIENET_CORTEX_M_BOARD_H_ */
