// title: group and source that the kernel reports to the router, asked for through io_uring
// row: broadcast, multicast, link-local
#include "ring.h"

enum { SETSOCKOPT = 3 }; // SOCKET_URING_OP_SETSOCKOPT of linux/io_uring.h, Linux 6.7

int main(void)
{
	struct group_source_req wanted = {.gsr_interface = number("IFINDEX")};
	struct sockaddr_in6 group = {.sin6_family = AF_INET6}, source = {.sin6_family = AF_INET6};
	struct ring ring = ring_made(0);
	struct io_uring_sqe *entry =
		ring_entry(&ring, IORING_OP_URING_CMD, must(socket(AF_INET6, SOCK_DGRAM, 0), "socket"));
	inet_pton(AF_INET6, "ff0e::4712", &group.sin6_addr);
	memcpy(&source.sin6_addr, mark(), strnlen(mark(), sizeof(source.sin6_addr)));
	memcpy(&wanted.gsr_group, &group, sizeof(group));
	memcpy(&wanted.gsr_source, &source, sizeof(source));
	entry->off = SETSOCKOPT;
	/* The entry's older names of level, option, value and length. */
	((uint32_t *)entry)[4] = IPPROTO_IPV6;
	((uint32_t *)entry)[5] = MCAST_JOIN_SOURCE_GROUP;
	entry->splice_fd_in = sizeof(wanted);
	*(uint64_t *)((char *)entry + 48) = (uintptr_t)&wanted;
	ring_submit(&ring);
	usleep(1500000);
	return WENT_OUT;
}
