// title: unix socket of the tagged process, to which an untagged helper connects, and reads
// row: unix socket relay: path, abstract, stream, datagram
// helper: caller
// variants: stream dgram
// documented: the untagged process asks, and a tagged server answers it; closed where BPF LSM judges unix peers
#include "technique.h"

int main(void)
{
	struct sockaddr_un at = beside_helper("calls", 0), caller = {0};
	socklen_t size = sizeof(caller);
	int type = is("stream") ? SOCK_STREAM : SOCK_DGRAM, fd = must(socket(AF_UNIX, type, 0), "unix socket");
	char byte;
	must(bind(fd, (struct sockaddr *)&at, length_of(&at)), "bind");
	chmod(at.sun_path, 0777);
	if (is("stream")) {
		must(listen(fd, 8), "listen");
		send_mark(must(accept(fd, NULL, NULL), "accept"));
	} else {
		must(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&caller, &size), "recvfrom");
		must(sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&caller, size), "sendto");
	}
	usleep(300000);
	return WENT_OUT;
}
