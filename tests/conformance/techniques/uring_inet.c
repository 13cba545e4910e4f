// title: io_uring
// row: io_uring socket, connect, send, sendmsg, send_zc, SQPOLL
// variants: connect_send connect_linked_to_send socket_as_registered_file send_to sendmsg send_zero_copy
// variants: sendmsg_zero_copy by_worker by_polling_thread write splice
#include "ring.h"

static struct sockaddr_in target;

/* A socket that is connected through the ring. */
static int ring_connected(struct ring *ring, int type)
{
	int fd = must(socket(AF_INET, type, 0), "socket");
	struct io_uring_sqe *entry = ring_entry(ring, IORING_OP_CONNECT, fd);
	entry->addr = (uintptr_t)&target;
	entry->off = sizeof(target);
	ring_submit(ring);
	return fd;
}

static void linked(struct ring *ring)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	struct io_uring_sqe *entry = ring_entry(ring, IORING_OP_CONNECT, fd);
	entry->addr = (uintptr_t)&target;
	entry->off = sizeof(target);
	entry->flags = IOSQE_IO_LINK;
	ring_send(ring, fd);
	ring_submit(ring);
}

/* The socket never has a descriptor: it is made, connected and used inside the ring. */
static void registered(struct ring *ring)
{
	int none = -1;
	must(syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_FILES, &none, 1), "io_uring_register");
	struct io_uring_sqe *entry = ring_entry(ring, IORING_OP_SOCKET, AF_INET);
	entry->off = SOCK_DGRAM;
	entry->file_index = 1;
	ring_submit(ring);
	entry = ring_entry(ring, IORING_OP_CONNECT, 0);
	entry->addr = (uintptr_t)&target;
	entry->off = sizeof(target);
	entry->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	ring_send(ring, 0)->flags = IOSQE_FIXED_FILE;
	ring_submit(ring);
}

/* Linux 6.0 and later takes an address for send. */
static void send_to(struct ring *ring, int op, int flags)
{
	struct io_uring_sqe *entry = ring_send(ring, must(socket(AF_INET, SOCK_DGRAM, 0), "socket"));
	entry->opcode = op;
	entry->addr2 = (uintptr_t)&target;
	entry->addr_len = sizeof(target);
	entry->flags = flags;
	ring_submit(ring);
}

static void message(struct ring *ring, int op)
{
	struct iovec part = {(char *)mark(), strlen(mark())};
	struct msghdr header = {.msg_name = &target, .msg_namelen = sizeof(target), .msg_iov = &part, .msg_iovlen = 1};
	struct io_uring_sqe *entry = ring_entry(ring, op, must(socket(AF_INET, SOCK_DGRAM, 0), "socket"));
	entry->addr = (uintptr_t)&header;
	entry->len = 1;
	ring_submit(ring);
}

static void splice_in(struct ring *ring)
{
	int pipes[2], fd = ring_connected(ring, SOCK_STREAM);
	must(pipe(pipes), "pipe");
	must(write(pipes[1], mark(), strlen(mark())), "write");
	struct io_uring_sqe *entry = ring_entry(ring, IORING_OP_SPLICE, fd);
	entry->splice_fd_in = pipes[0];
	entry->splice_off_in = entry->off = -1;
	entry->len = strlen(mark());
	ring_submit(ring);
}

int main(void)
{
	struct ring ring = ring_made(is("by_polling_thread") ? IORING_SETUP_SQPOLL : 0);
	target = to4("TARGET4");
	if (is("connect_linked_to_send"))
		linked(&ring);
	else if (is("socket_as_registered_file"))
		registered(&ring);
	else if (is("sendmsg") || is("sendmsg_zero_copy"))
		message(&ring, is("sendmsg") ? IORING_OP_SENDMSG : IORING_OP_SENDMSG_ZC);
	else if (is("splice"))
		splice_in(&ring);
	else if (is("write")) {
		ring_send(&ring, ring_connected(&ring, SOCK_STREAM))->opcode = IORING_OP_WRITE;
		ring_submit(&ring);
	} else if (is("connect_send")) {
		ring_send(&ring, ring_connected(&ring, SOCK_STREAM));
		ring_submit(&ring);
	} else
		send_to(&ring, is("send_zero_copy") ? IORING_OP_SEND_ZC : IORING_OP_SEND,
		        is("by_worker") ? IOSQE_ASYNC : 0);
	usleep(200000);
	return WENT_OUT;
}
