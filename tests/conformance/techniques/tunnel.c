// title: packet toward the approved address inside a tunnel to the forbidden one
// row: ipip, gre, vxlan, WireGuard, IPsec
// caps: net_admin
// judge: mark
// variants: vxlan vxlan6 geneve gre ipip sit seg6
#include "technique.h"

static const char *device(void)
{
	if (is("vxlan"))
		return "type vxlan id 7 remote $TARGET4 dstport $PORT dev $IFACE";
	if (is("vxlan6"))
		return "type vxlan id 7 remote $TARGET6 dstport $PORT dev $IFACE";
	if (is("geneve"))
		return "type geneve id 7 remote $TARGET4 dstport $PORT";
	if (is("gre"))
		return "type gre local $SOURCE4 remote $TARGET4";
	return is("sit") ? "type sit mode any local $SOURCE4 remote $TARGET4"
	                 : "type ipip local $SOURCE4 remote $TARGET4";
}

/* A neighbour is given by hand, for devices that would ask for one. */
static void through_device(void)
{
	char command[1024];
	snprintf(command, sizeof(command),
	         "ip link add way %s; ip addr add 192.0.2.1/24 dev way; ip link set way up; "
	         "ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev way 2>/dev/null || :; "
	         "ip route replace $APPROVED4 via 192.0.2.2 dev way onlink",
	         device());
	shell(command);
	sendto4(must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), "APPROVED4");
}

static void through_segments(void)
{
	struct sockaddr_in6 to = to6("APPROVED6");
	shell("ip -6 route replace $APPROVED6 encap seg6 mode encap segs $TARGET6 via $GATEWAY6 dev $IFACE");
	int fd = must(socket(AF_INET6, SOCK_DGRAM, 0), "socket");
	must(sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

int main(void)
{
	if (is("seg6"))
		through_segments();
	else
		through_device();
	usleep(100000);
	return WENT_OUT;
}
