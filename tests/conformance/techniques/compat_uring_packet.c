// title: AF_PACKET by an io_uring that a 32-bit system call made
// row: 32-bit system calls
// caps: net_raw
#include "packets.h"
#include "ring.h"
#include "compat.h"
#include <linux/if_packet.h>

int main(void)
{
	struct io_uring_params none = {0}, *params = low(&none, sizeof(none));
	int ring_fd = must(compat(COMPAT_IO_URING_SETUP, 8, (long)params, 0, 0, 0), "io_uring_setup");
	struct ring ring = ring_map(ring_fd, *params);
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	struct io_uring_sqe *entry = ring_entry(&ring, IORING_OP_SOCKET, AF_PACKET);
	entry->off = SOCK_RAW;
	unsigned count = ring_publish(&ring);
	ring_enter(&ring, count, 1);
	int fd = ((struct io_uring_cqe *)(ring.queues + ring.params.cq_off.cqes))[0].res;
	errno = fd < 0 ? -fd : 0;
	must(fd, "socket(AF_PACKET) by io_uring");
	must(sendto(fd, frame.bytes, frame.size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return WENT_OUT;
}
