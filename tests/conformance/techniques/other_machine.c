// title: packet toward the approved address, in a frame for another machine on the wire
// row: static neighbour or route to another machine
// caps: net_admin
// variants: neighbour route
// documented: the packet is what was approved, and the administrator of a network decides where it goes: drop net_admin
#include "packets.h"

int main(void)
{
	char command[512], *argv[] = {"/bin/sh", "-ec", command, NULL};
	const char *next = is("route") ? "10.10.0.77" : env("GATEWAY4");
	snprintf(command, sizeof(command),
	         "ip neigh replace %s lladdr 02:00:00:00:00:77 dev %s; ip route replace %s via %s", next, env("IFACE"),
	         env("APPROVED4"), next);
	if (run(argv))
		cannot("ip(8) is missing");
	sendto4(must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), "APPROVED4");
	shell("ip neigh del $GATEWAY4 dev $IFACE 2>/dev/null || :"); /* others need the way */
	return WENT_OUT;
}
