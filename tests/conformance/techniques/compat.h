/* SPDX-License-Identifier: Apache-2.0 */
/* The 32-bit system calls of a 64-bit program: other numbers, other entry, the same kernel. */
#ifndef COMPAT_H
#define COMPAT_H

#include "technique.h"

enum { /* asm/unistd_32.h */
       COMPAT_EXECVE = 11,
       COMPAT_SOCKETCALL = 102,
       COMPAT_SENDMMSG = 345,
       COMPAT_SOCKET = 359,
       COMPAT_CONNECT = 362,
       COMPAT_SENDTO = 369,
       COMPAT_SENDMSG = 370,
       COMPAT_IO_URING_SETUP = 425,
       COMPAT_PIDFD_GETFD = 438,
};
enum { CALL_SOCKET = 1, CALL_CONNECT = 3, CALL_SEND = 9, CALL_SENDTO = 11, CALL_SENDMSG = 16 }; /* linux/net.h */

/* The sixth argument is in %ebp, which the compiler keeps for itself: it is 0. The stack below is the compiler's too.
 */
SHARED long compat(long call, long a, long b, long c, long d, long e)
{
	long result;
#if defined(__x86_64__)
	asm volatile("sub $128, %%rsp\n push %%rbp\n xor %%ebp, %%ebp\n int $0x80\n pop %%rbp\n add $128, %%rsp"
	             : "=a"(result)
	             : "a"(call), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
	             : "memory", "r8", "r9", "r10", "r11");
#else
	cannot("this processor has no 32-bit system calls of a 64-bit program");
#endif
	if ((int)result < 0 && (int)result > -4096) {
		errno = -(int)result;
		return -1;
	}
	return (int)result;
}

/* Memory that a 32-bit pointer reaches. */
SHARED void *low(const void *data, size_t size)
{
	void *copy = must_map(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0),
	                      "low memory");
	return memcpy(copy, data, size);
}

SHARED long address(const void *data, size_t size)
{
	return (long)low(data, size);
}

SHARED long low_mark(void)
{
	return address(mark(), strlen(mark()) + 1);
}

/* socketcall(2): which call, and an array of its arguments. */
SHARED long compat_socketcall(int call, const uint32_t arguments[6])
{
	return compat(COMPAT_SOCKETCALL, call, address(arguments, 6 * sizeof(uint32_t)), 0, 0, 0);
}

struct compat_message {
	uint32_t name, name_size, parts, part_count, control, control_size, flags;
};

/* A message header for 32-bit calls that carries the mark to the forbidden address. */
SHARED struct compat_message compat_message(void)
{
	struct sockaddr_in to = to4("TARGET4");
	uint32_t part[] = {low_mark(), strlen(mark())};
	return (struct compat_message){.name = address(&to, sizeof(to)),
	                               .name_size = sizeof(to),
	                               .parts = address(part, sizeof(part)),
	                               .part_count = 1};
}

#endif
