// title: connected socket in the queue of a socket that is itself in a queue, before the tag
// row: sockets opened before the tag
// tag: late
#include "technique.h"

int main(void)
{
	int fd = connected(SOCK_STREAM, "TARGET4"), inner[2], outer[2];
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, inner), "socketpair");
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, outer), "socketpair");
	send_descriptor(inner[0], fd);
	send_descriptor(outer[0], inner[1]);
	close(fd);
	close(inner[1]);
	wait_for_tag();
	int again = receive_descriptor(outer[1]);
	send_mark(receive_descriptor(again));
	return WENT_OUT;
}
