#ifndef CURLSHIM_H
#define CURLSHIM_H

#include <stddef.h>

// libcurl, opened on first use: loading it at start would cost every hook some milliseconds. curl's own functions are
// variadic, which Swift cannot call; what is here is typed.

// Connections, kept open between requests, and the requests that are under way on them. One thread owns it; only
// curlshim_wake may be called from others.
typedef struct curlshim_session curlshim_session;

typedef struct {
    const char *method;
    const char *url;
    const char *const *headers; // "Name: value", NULL at the end
    long long body_size;        // -1: no body
    long timeout_ms;            // for all of it; 0: no end
    long idle_s;                // a transfer that stands still so long is ended
    const char *ca_bundle;      // NULL: the system's certificates
    const char *certificate;    // the client's own, NULL: none
    const char *key;            // its key, NULL: in the same file
    const char *proxy;          // NULL: as the environment says
    int insecure;               // 1: any server certificate will do

    // Fills in the next piece of the body; the number of bytes, or curlshim_stop.
    size_t (*on_send)(char *bytes, size_t count, void *context);
    // The body is wanted again from an offset; 0 when that can be done.
    int (*on_seek)(long long offset, void *context);
    // One header line; the number of bytes it took.
    size_t (*on_header)(const char *bytes, size_t count, void *context);
    // A piece of the answer's body; the number of bytes it took, fewer to stop.
    size_t (*on_body)(const char *bytes, size_t count, void *context);
    // The connection stands and nothing has been sent: 0 to go on. The address is the peer's, a proxy's if there is one.
    int (*on_connect)(const char *address, void *context);
    // The end: curl's code, the status, and a text when the code is not 0.
    void (*on_end)(int code, long status, const char *error, void *context);
    void *context;
} curlshim_request;

extern const size_t curlshim_stop;
// What on_send and on_body return to be called again, with the same bytes, after curlshim_resume.
extern const size_t curlshim_pause;

// NULL when libcurl cannot be opened.
curlshim_session *curlshim_open(void);
// Begins a request; its strings may go afterwards, its context must stay until on_end. Returns a handle, NULL when there
// is no memory.
void *curlshim_begin(curlshim_session *session, const curlshim_request *request);
// Ends a request that has not ended; on_end is not called.
void curlshim_cancel(curlshim_session *session, void *handle);
// Lets a request go on that was paused; its callbacks may be called from here.
void curlshim_resume(void *handle);
// Does what can be done and waits for more, at most timeout_ms; on_end is called from here. Returns how many are under way.
int curlshim_turn(curlshim_session *session, int timeout_ms);
void curlshim_wake(curlshim_session *session);

#endif
