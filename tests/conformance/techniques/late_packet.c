// title: AF_PACKET socket that was open before the tag
// row: sockets opened before the tag
// caps: net_raw
// tag: late
// variants: plain ring
#include "tx_ring.h"

int main(void)
{
	struct frame frame = udp_frame();
	struct tx_ring ring = {0};
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
	if (is("ring"))
		ring = tx_ring_made();
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	wait_for_tag();
	if (is("ring"))
		tx_ring_send(ring, frame);
	else
		must(send(fd, frame.bytes, frame.size, 0), "send");
	return WENT_OUT;
}
