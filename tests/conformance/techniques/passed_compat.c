// title: connected TCP socket that an untagged helper passes, written to by a 32-bit system call
// row: 32-bit system calls
// helper: passer
// tag: late
// variants: write writev send sendto sendmsg sendmmsg socketcall_sendmsg sendfile splice pwritev2
#include "compat.h"

enum { WRITE = 4, WRITEV = 146, SENDFILE = 187, SPLICE = 313, PWRITEV2 = 379 }; /* asm/unistd_32.h */

static int file_with_mark(size_t size)
{
	int file = must(memfd_create("mark", 0), "memfd_create");
	must(write(file, mark(), size), "write");
	lseek(file, 0, SEEK_SET);
	return file;
}

static long spliced(int fd, size_t size)
{
	int pipes[2];
	must(pipe(pipes), "pipe");
	must(write(pipes[1], mark(), size), "write");
	return compat(SPLICE, pipes[0], 0, fd, 0, size);
}

static long sent(int fd, size_t size)
{
	uint32_t part[] = {low_mark(), size};
	struct compat_message messages[2] = {{.parts = address(part, sizeof(part)), .part_count = 1}};
	long message = address(messages, sizeof(messages));
	if (is("write"))
		return compat(WRITE, fd, low_mark(), size, 0, 0);
	if (is("writev"))
		return compat(WRITEV, fd, messages->parts, 1, 0, 0);
	if (is("pwritev2"))
		return compat(PWRITEV2, fd, messages->parts, 1, -1, -1);
	if (is("send"))
		return compat_socketcall(CALL_SEND, (uint32_t[6]){fd, low_mark(), size, 0});
	if (is("sendto"))
		return compat(COMPAT_SENDTO, fd, low_mark(), size, 0, 0);
	if (is("sendmsg"))
		return compat(COMPAT_SENDMSG, fd, message, 0, 0, 0);
	if (is("sendmmsg"))
		return compat(COMPAT_SENDMMSG, fd, message, 1, 0, 0);
	if (is("socketcall_sendmsg"))
		return compat_socketcall(CALL_SENDMSG, (uint32_t[6]){fd, message, 0});
	return is("sendfile") ? compat(SENDFILE, fd, file_with_mark(size), 0, size, 0) : spliced(fd, size);
}

int main(void)
{
	int fd = passed_after_tag("tcp");
	must(sent(fd, strlen(mark())), "send, 32 bits");
	usleep(100000);
	return WENT_OUT;
}
