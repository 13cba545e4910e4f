// title: AF_PACKET frames from a ring in shared memory
// row: AF_PACKET raw, dgram, TX_RING, SOCK_PACKET
// caps: net_raw
#include "tx_ring.h"

int main(void)
{
	tx_ring_send(tx_ring_made(), udp_frame());
	return WENT_OUT;
}
