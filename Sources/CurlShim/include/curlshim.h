#ifndef CURLSHIM_H
#define CURLSHIM_H

#include <stddef.h>

// libcurl, opened on first use: loading it at start would cost every hook some milliseconds. curl's own functions are
// variadic, which Swift cannot call; what is here is typed.

// Receives a piece of the body, or one header line; returns the number of bytes it took.
typedef size_t (*curlshim_receive)(const char *bytes, size_t count, void *context);

typedef struct {
    const char *method;
    const char *url;
    const char *const *headers; // "Name: value", NULL at the end
    const void *body;           // NULL: none
    size_t body_size;
    const char *upload_path;    // NULL: none; else the file whose bytes are the body
    long timeout_ms;            // for all of it; 0: only a transfer that stands still for a minute is ended
    curlshim_receive on_header;
    curlshim_receive on_body;
    void *context;
} curlshim_request;

// Performs one request. Returns 0 and the status; otherwise curl's code and a text in error (256 bytes), -1 when libcurl
// cannot be opened. Redirects are not followed; only http and https are spoken.
int curlshim_perform(const curlshim_request *request, long *status, char *error);

#endif
