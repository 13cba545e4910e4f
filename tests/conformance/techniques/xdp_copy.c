// title: AF_XDP socket in copy mode
// row: AF_XDP
// caps: net_raw
#include "xdp.h"

int main(void)
{
	struct xdp xdp = xdp_made();
	xdp_fill(xdp, udp_frame());
	must(sendto(xdp.fd, NULL, 0, MSG_DONTWAIT, NULL, 0), "sendto");
	return WENT_OUT;
}
