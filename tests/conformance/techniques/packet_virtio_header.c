// title: AF_PACKET with a segmentation header: the device cuts one buffer into many frames
// row: AF_PACKET raw, dgram, TX_RING, SOCK_PACKET
// caps: net_raw
#include "packets.h"
#include <linux/if_packet.h>
#include <linux/virtio_net.h>

int main(void)
{
	struct frame frame = udp_frame();
	struct virtio_net_hdr header = {0};
	struct iovec parts[] = {{&header, sizeof(header)}, {frame.bytes, frame.size}};
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int on = 1, fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
	must(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), "PACKET_VNET_HDR");
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(writev(fd, parts, 2), "writev");
	return WENT_OUT;
}
