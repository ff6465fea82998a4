#include "curlshim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

#define EACH_FUNCTION(X)                                                                                     \
    X(global_init) X(easy_init) X(easy_setopt) X(easy_getinfo) X(easy_cleanup) X(easy_strerror)              \
    X(slist_append) X(slist_free_all) X(multi_init) X(multi_setopt) X(multi_add_handle)                      \
    X(multi_remove_handle) X(multi_perform) X(multi_poll) X(multi_wakeup) X(multi_info_read) X(easy_pause)

#define MEMBER(name) __typeof__(&curl_##name) name;
static struct { EACH_FUNCTION(MEMBER) } curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_open = 0;
const size_t curlshim_stop = CURL_READFUNC_ABORT;
_Static_assert(CURL_READFUNC_PAUSE == CURL_WRITEFUNC_PAUSE, "one value pauses either way");
const size_t curlshim_pause = CURL_READFUNC_PAUSE;

static void open_library(void) {
#ifdef __APPLE__
    void *library = dlopen("libcurl.4.dylib", RTLD_NOW);
#else
    void *library = dlopen("libcurl.so.4", RTLD_NOW);
#endif
    if (!library) return;
#define FIND(name) if (!(*(void **)&curl.name = dlsym(library, "curl_" #name))) return;
    EACH_FUNCTION(FIND)
    is_open = curl.global_init(CURL_GLOBAL_ALL) == CURLE_OK;
}

static int library(void) {
    pthread_once(&once, open_library);
    return is_open;
}

struct curlshim_session {
    CURLM *multi;
};

// One request that is under way.
struct transfer {
    curlshim_request request;
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
};

curlshim_session *curlshim_open(void) {
    if (!library()) return NULL;
    curlshim_session *session = calloc(1, sizeof *session);
    if (session) session->multi = curl.multi_init();
    if (!session || !session->multi) {
        free(session);
        return NULL;
    }
    curl.multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, 64L);
    return session;
}

static size_t send_piece(char *bytes, size_t size, size_t count, void *user) {
    struct transfer *transfer = user;
    return transfer->request.on_send(bytes, size * count, transfer->request.context);
}

static int seek_body(void *user, curl_off_t offset, int origin) {
    struct transfer *transfer = user;
    if (origin != SEEK_SET) return CURL_SEEKFUNC_FAIL;
    return transfer->request.on_seek(offset, transfer->request.context) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *user) {
    struct transfer *transfer = user;
    return transfer->request.on_header(bytes, size * count, transfer->request.context);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *user) {
    struct transfer *transfer = user;
    return transfer->request.on_body(bytes, size * count, transfer->request.context);
}

static int connected(void *user, char *peer, char *own, int peer_port, int own_port) {
    struct transfer *transfer = user;
    (void)own; (void)peer_port; (void)own_port;
    int go_on = transfer->request.on_connect(peer, transfer->request.context) == 0;
    return go_on ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static void set_options(CURL *easy, struct transfer *transfer) {
    const curlshim_request *request = &transfer->request;
    curl.easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl.easy_setopt(easy, CURLOPT_URL, request->url);
    curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl.easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl.easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, request->timeout_ms);
    curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 30L);
    curl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, request->idle_s);
    curl.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl.easy_setopt(easy, CURLOPT_USERAGENT, "git-ml");
    curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    if (request->ca_bundle) curl.easy_setopt(easy, CURLOPT_CAINFO, request->ca_bundle);
    if (request->certificate) curl.easy_setopt(easy, CURLOPT_SSLCERT, request->certificate);
    if (request->key) curl.easy_setopt(easy, CURLOPT_SSLKEY, request->key);
    if (request->proxy) curl.easy_setopt(easy, CURLOPT_PROXY, request->proxy);
    if (request->insecure) {
        curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl.easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl.easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl.easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
#if LIBCURL_VERSION_NUM >= 0x075000
    curl.easy_setopt(easy, CURLOPT_PREREQFUNCTION, connected);
    curl.easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
#endif
    if (request->body_size >= 0) {
        curl.easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl.easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_size);
        curl.easy_setopt(easy, CURLOPT_READFUNCTION, send_piece);
        curl.easy_setopt(easy, CURLOPT_READDATA, transfer);
        curl.easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
        curl.easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
        if (request->body_size > 64 << 10) curl.easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    }
    if (strcmp(request->method, "HEAD") == 0) curl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
}

static void discard(struct transfer *transfer) {
    curl.slist_free_all(transfer->headers);
    if (transfer->easy) curl.easy_cleanup(transfer->easy);
    free(transfer);
}

void *curlshim_begin(curlshim_session *session, const curlshim_request *request) {
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer) return NULL;
    transfer->request = *request;
    transfer->easy = curl.easy_init();
    for (const char *const *header = request->headers; header && *header; header++)
        transfer->headers = curl.slist_append(transfer->headers, *header);
    if (transfer->easy) set_options(transfer->easy, transfer);
    // The caller's strings may go now; curl has copies.
    transfer->request.url = transfer->request.method = transfer->request.ca_bundle = NULL;
    transfer->request.certificate = transfer->request.key = transfer->request.proxy = NULL;
    transfer->request.headers = NULL;
    if (!transfer->easy || curl.multi_add_handle(session->multi, transfer->easy) != CURLM_OK) {
        discard(transfer);
        return NULL;
    }
    return transfer;
}

void curlshim_cancel(curlshim_session *session, void *handle) {
    struct transfer *transfer = handle;
    curl.multi_remove_handle(session->multi, transfer->easy);
    discard(transfer);
}

void curlshim_resume(void *handle) { curl.easy_pause(((struct transfer *)handle)->easy, CURLPAUSE_CONT); }

int curlshim_turn(curlshim_session *session, int timeout_ms) {
    int running = 0, waiting = 0;
    CURLMsg *message;
    curl.multi_perform(session->multi, &running);
    while ((message = curl.multi_info_read(session->multi, &waiting))) {
        if (message->msg != CURLMSG_DONE) continue;
        struct transfer *transfer = NULL;
        long status = 0;
        CURLcode code = message->data.result;
        curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        curl.easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        curl.multi_remove_handle(session->multi, transfer->easy);
        const char *text = transfer->error[0] ? transfer->error : curl.easy_strerror(code);
        transfer->request.on_end((int)code, status, text, transfer->request.context);
        discard(transfer);
        timeout_ms = 0;
    }
    if (timeout_ms > 0) curl.multi_poll(session->multi, NULL, 0, timeout_ms, NULL);
    return running;
}

void curlshim_wake(curlshim_session *session) { curl.multi_wakeup(session->multi); }
