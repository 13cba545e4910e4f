// title: connection that waits in a listener's queue before the tag, accepted after it
// row: sockets opened before the tag
// tag: late
// dial: tcp
#include "technique.h"

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(number("PORT"))};
	int on = 1, listener = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must(bind(listener, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(listen(listener, 8), "listen");
	sleep(1);
	wait_for_tag();
	send_mark(must(accept(listener, NULL, NULL), "accept"));
	usleep(100000);
	return WENT_OUT;
}
