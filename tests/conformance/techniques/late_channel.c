// title: channel to an untagged helper that was open before the tag
// row: existing unix stream, socketpair, pipe, fifo, shared memory, file, message queue
// helper: relay
// tag: late
// variants: unix_stream unix_dgram fifo
// documented: what is open and no INET socket is not judged: bytes would have to be followed from process to process
#include "technique.h"

static int opened(void)
{
	struct sockaddr_un name = beside_helper(is("unix_stream") ? "stream" : "dgram", 0);
	if (is("fifo"))
		return must(open(helper_file("fifo"), O_WRONLY), "open");
	int fd = must(socket(AF_UNIX, is("unix_stream") ? SOCK_STREAM : SOCK_DGRAM, 0), "socket");
	must(connect(fd, (struct sockaddr *)&name, length_of(&name)), "connect");
	return fd;
}

int main(void)
{
	int fd = opened();
	wait_for_tag();
	must(write(fd, mark(), strlen(mark())), "write");
	usleep(200000);
	return WENT_OUT;
}
