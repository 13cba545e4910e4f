// title: connected TCP socket that an untagged helper passes
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
// tag: late
// variants: send write writev sendmsg sendmmsg sendfile splice aio zerocopy urgent uring duplicate pwritev2 vmsplice
#include "ring.h"
#include <linux/aio_abi.h>
#include <sys/sendfile.h>

static void by_file(int fd, size_t size)
{
	int file = must(memfd_create("mark", 0), "memfd_create"), pipes[2];
	must(write(file, mark(), size), "write");
	lseek(file, 0, SEEK_SET);
	if (is("sendfile")) {
		must(sendfile(fd, file, NULL, size), "sendfile");
		return;
	}
	must(pipe(pipes), "pipe");
	if (is("vmsplice"))
		must(vmsplice(pipes[1], &(struct iovec){(char *)mark(), size}, 1, 0), "vmsplice");
	else
		must(splice(file, NULL, pipes[1], NULL, size, 0), "splice from the file");
	must(splice(pipes[0], NULL, fd, NULL, size, 0), "splice to the socket");
}

static void by_aio(int fd, size_t size)
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

static void by_zerocopy(int fd, size_t size)
{
	int on = 1;
	must(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), "SO_ZEROCOPY");
	must(send(fd, mark(), size, MSG_ZEROCOPY), "send");
}

static void by_uring(int fd)
{
	struct ring ring = ring_made(0);
	ring_send(&ring, fd);
	ring_submit(&ring);
}

/* By another open file of the same socket: /proc refuses to open one, a duplicate does it. */
static void by_duplicate(int fd, size_t size)
{
	must(write(must(fcntl(fd, F_DUPFD_CLOEXEC, 100), "duplicate"), mark(), size), "write");
}

int main(void)
{
	int fd = passed_after_tag("tcp");
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
	else if (is("aio"))
		by_aio(fd, size);
	else if (is("zerocopy"))
		by_zerocopy(fd, size);
	else if (is("urgent"))
		must(send(fd, mark(), size, MSG_OOB), "send");
	else if (is("uring"))
		by_uring(fd);
	else if (is("duplicate"))
		by_duplicate(fd, size);
	else
		by_file(fd, size);
	usleep(100000);
	return WENT_OUT;
}
