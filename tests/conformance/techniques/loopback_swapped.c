// title: loopback socket that was connected to a tagged one, whose port an untagged helper then takes
// row: loopback relay: 127.0.0.1, ::1, own address, 127.0.0.53 resolver
// helper: latecomer
// variants: udp_connected udp
#include "technique.h"

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(number("HELPER_PORT"))};
	int own = must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(own, (struct sockaddr *)&at, sizeof(at)), "bind");
	if (is("udp_connected"))
		must(connect(fd, (struct sockaddr *)&at, sizeof(at)), "connect");
	must(sendto(fd, "x", 1, 0, is("udp") ? (struct sockaddr *)&at : NULL, sizeof(at)), "send to itself");
	close(own);
	close(must(open(helper_file("free"), O_CREAT | O_WRONLY, 0600), "open"));
	wait_for_file("taken");
	must(sendto(fd, mark(), strlen(mark()), 0, is("udp") ? (struct sockaddr *)&at : NULL, sizeof(at)), "sendto");
	usleep(200000);
	return WENT_OUT;
}
