// title: TCP connection that comes to be, or speaks, in an unusual way
// row: TCP connect, UDP sendto/sendmsg/sendmmsg, connected UDP, reconnect, AF_UNSPEC
// caps: net_admin
// variants: repair transparent urgent
#include "technique.h"

enum { REPAIR_ON = 1, REPAIR_OFF_WITHOUT_PROBE = -1 };

static int stream(void)
{
	return must(socket(AF_INET, SOCK_STREAM, 0), "socket");
}

static void set(int fd, int level, int option, int value, const char *what)
{
	must(setsockopt(fd, level, option, &value, sizeof(value)), what);
}

/* Established without a handshake, as after a migration: the first packet carries data. */
static void repaired(int fd)
{
	struct tcp_repair_window window = {.snd_wnd = 65535, .max_window = 65535, .rcv_wnd = 65535};
	set(fd, IPPROTO_TCP, TCP_REPAIR, REPAIR_ON, "TCP_REPAIR");
	connect4(fd, "TARGET4");
	must(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)), "TCP_REPAIR_WINDOW");
	set(fd, IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_WITHOUT_PROBE, "TCP_REPAIR");
	send_mark(fd);
}

/* From an address that is not ours. */
static void from_elsewhere(int fd)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	inet_pton(AF_INET, "192.0.2.99", &at.sin_addr);
	set(fd, IPPROTO_IP, IP_TRANSPARENT, 1, "IP_TRANSPARENT");
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	struct sockaddr_in to = to4("TARGET4");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		must(-1, "connect");
}

int main(void)
{
	int fd = stream();
	if (is("repair")) {
		repaired(fd);
	} else if (is("transparent")) {
		from_elsewhere(fd);
	} else {
		connect4(fd, "TARGET4");
		must(send(fd, mark(), strlen(mark()), MSG_OOB), "send");
	}
	usleep(200000);
	return WENT_OUT;
}
