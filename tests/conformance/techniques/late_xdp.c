// title: AF_XDP socket that was open before the tag
// row: sockets opened before the tag
// caps: net_raw
// tag: late
// variants: send poll
#include "xdp.h"

int main(void)
{
	struct xdp xdp = xdp_made();
	wait_for_tag();
	xdp_fill(xdp, udp_frame());
	if (is("poll")) /* it transmits as well, and names no data */
		must(poll(&(struct pollfd){.fd = xdp.fd, .events = POLLOUT}, 1, 100), "poll");
	else
		must(sendto(xdp.fd, NULL, 0, MSG_DONTWAIT, NULL, 0), "sendto");
	return WENT_OUT;
}
