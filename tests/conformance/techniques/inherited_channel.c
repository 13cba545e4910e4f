// title: channel to an untagged helper that the confined program got from who started it
// row: existing unix stream, socketpair, pipe, fifo, shared memory, file, message queue
// helper: relay
// tag: exec
// variants: unix_stream fifo
// documented: who starts a program gives it what it may write to: bytes would have to be followed from there
#include "technique.h"

static int opened(void)
{
	if (is("fifo"))
		return must(open(helper_file("fifo"), O_WRONLY), "open");
	return helper_stream("stream");
}

int main(void)
{
	if (!is_second_life())
		go_on_confined(opened());
	must(write(BROUGHT, mark(), strlen(mark())), "write");
	usleep(200000);
	return WENT_OUT;
}
