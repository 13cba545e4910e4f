// title: listener that the confined program got from who started it, as by socket activation
// row: sockets opened before the tag
// tag: exec
// dial: tcp
#include "technique.h"

static int listener(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(number("PORT"))};
	int on = 1, fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(listen(fd, 8), "listen");
	return fd;
}

int main(void)
{
	if (!is_second_life())
		go_on_confined(listener());
	send_mark(must(accept(BROUGHT, NULL, NULL), "accept"));
	usleep(100000);
	return WENT_OUT;
}
