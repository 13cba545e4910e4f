/* SPDX-License-Identifier: Apache-2.0 */
/* Every system call that puts bytes into a socket; the variant says which. */
#ifndef CALLS_H
#define CALLS_H

#include "ring.h"
#include <linux/aio_abi.h>
#include <sys/sendfile.h>

SHARED void by_file(int fd, size_t size)
{
	int file = must(memfd_create("mark", 0), "memfd_create"), pipes[2];
	must(write(file, mark(), size), "write");
	lseek(file, 0, SEEK_SET);
	if (is("sendfile")) {
		must(sendfile(fd, file, NULL, size), "sendfile");
		return;
	}
	must(pipe(pipes), "pipe");
	must(splice(file, NULL, pipes[1], NULL, size, 0), "splice from the file");
	must(splice(pipes[0], NULL, fd, NULL, size, 0), "splice to the socket");
}

SHARED void by_memory(int fd, size_t size)
{
	int pipes[2];
	struct iovec part = {(char *)mark(), size};
	must(pipe(pipes), "pipe");
	must(vmsplice(pipes[1], &part, 1, 0), "vmsplice");
	must(splice(pipes[0], NULL, fd, NULL, size, 0), "splice to the socket");
}

SHARED void by_aio(int fd, size_t size)
{
	aio_context_t context = 0;
	struct io_event event;
	struct iocb block = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (uintptr_t)mark()};
	block.aio_nbytes = size;
	must(syscall(SYS_io_setup, 1, &context), "io_setup");
	must(syscall(SYS_io_submit, context, 1, (struct iocb *[]){&block}), "io_submit");
	must(syscall(SYS_io_getevents, context, 1, 1, &event, NULL), "io_getevents");
	errno = event.res < 0 ? -event.res : 0;
	must(event.res, "io_submit");
}

SHARED void by_zerocopy(int fd, size_t size)
{
	int on = 1;
	must(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), "SO_ZEROCOPY");
	must(send(fd, mark(), size, MSG_ZEROCOPY), "send");
}

SHARED void by_uring(int fd, int op)
{
	struct ring ring = ring_made(0);
	struct io_uring_sqe *entry = ring_send(&ring, fd);
	entry->opcode = op;
	ring_submit(&ring);
}

/* Puts the mark into a connected socket by the call that the variant names. */
SHARED void send_by_variant(int fd)
{
	size_t size = strlen(mark());
	struct iovec part = {(char *)mark(), size};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
	if (is("send"))
		send_mark(fd);
	else if (is("write"))
		must(write(fd, mark(), size), "write");
	else if (is("writev"))
		must(writev(fd, &part, 1), "writev");
	else if (is("pwritev2"))
		must(pwritev2(fd, &part, 1, -1, 0), "pwritev2");
	else if (is("sendmsg"))
		must(sendmsg(fd, &message.msg_hdr, 0), "sendmsg");
	else if (is("sendmmsg"))
		must(sendmmsg(fd, &message, 1, 0), "sendmmsg");
	else if (is("vmsplice"))
		by_memory(fd, size);
	else if (is("aio"))
		by_aio(fd, size);
	else if (is("zerocopy"))
		by_zerocopy(fd, size);
	else if (is("urgent"))
		must(send(fd, mark(), size, MSG_OOB), "send");
	else if (is("uring_send"))
		by_uring(fd, IORING_OP_SEND);
	else if (is("uring_write"))
		by_uring(fd, IORING_OP_WRITE);
	else
		by_file(fd, size);
	usleep(100000);
}

#endif
