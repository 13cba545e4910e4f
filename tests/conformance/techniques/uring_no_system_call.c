// title: io_uring with SQPOLL: an AF_PACKET socket and its frame without any system call
// row: io_uring SOCKET(AF_PACKET) linked to SENDMSG in one call
// caps: net_raw
// tag: late
#include "packets.h"
#include "ring.h"
#include <linux/if_packet.h>

int main(void)
{
	struct ring ring = ring_made(IORING_SETUP_SQPOLL);
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	struct iovec part = {frame.bytes, frame.size};
	struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1};
	int none = -1;
	must(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &none, 1), "register a table of files");
	ring_entry(&ring, IORING_OP_NOP, -1);
	ring_submit(&ring); /* the kernel's thread is awake now, and looks by itself */
	wait_for_tag();
	struct io_uring_sqe *made = ring_entry(&ring, IORING_OP_SOCKET, AF_PACKET);
	made->off = SOCK_RAW;
	made->file_index = 1;
	made->flags = IOSQE_IO_LINK;
	struct io_uring_sqe *sent = ring_entry(&ring, IORING_OP_SENDMSG, 0);
	sent->addr = (uintptr_t)&message;
	sent->flags = IOSQE_FIXED_FILE;
	ring_publish(&ring);
	sleep(patient(1));
	ring_check(&ring, 2);
	return WENT_OUT;
}
