// title: AF_XDP socket in copy mode
// row: AF_XDP
// caps: net_raw
#include "xdp.h"

int main(void)
{
	xdp_send(xdp_made(), udp_frame());
	return WENT_OUT;
}
