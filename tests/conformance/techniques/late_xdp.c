// title: AF_XDP socket that was open before the tag
// row: sockets opened before the tag
// caps: net_raw
// tag: late
#include "xdp.h"

int main(void)
{
	struct xdp xdp = xdp_made();
	wait_for_tag();
	xdp_send(xdp, udp_frame());
	return WENT_OUT;
}
