#include "curlshim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <curl/curl.h>

static struct {
    CURLcode (*global_init)(long);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    void (*easy_cleanup)(CURL *);
    const char *(*easy_strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
} curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_open = 0;

static void open_library(void) {
#ifdef __APPLE__
    void *library = dlopen("libcurl.4.dylib", RTLD_NOW);
#else
    void *library = dlopen("libcurl.so.4", RTLD_NOW);
#endif
    if (!library) return;
    *(void **)&curl.global_init = dlsym(library, "curl_global_init");
    *(void **)&curl.easy_init = dlsym(library, "curl_easy_init");
    *(void **)&curl.easy_setopt = dlsym(library, "curl_easy_setopt");
    *(void **)&curl.easy_perform = dlsym(library, "curl_easy_perform");
    *(void **)&curl.easy_getinfo = dlsym(library, "curl_easy_getinfo");
    *(void **)&curl.easy_cleanup = dlsym(library, "curl_easy_cleanup");
    *(void **)&curl.easy_strerror = dlsym(library, "curl_easy_strerror");
    *(void **)&curl.slist_append = dlsym(library, "curl_slist_append");
    *(void **)&curl.slist_free_all = dlsym(library, "curl_slist_free_all");
    is_open = curl.global_init && curl.easy_init && curl.easy_setopt && curl.easy_perform && curl.easy_getinfo
        && curl.easy_cleanup && curl.easy_strerror && curl.slist_append && curl.slist_free_all
        && curl.global_init(CURL_GLOBAL_ALL) == CURLE_OK;
}

struct receiver {
    curlshim_receive receive;
    void *context;
};

static size_t forward(char *bytes, size_t size, size_t count, void *user) {
    struct receiver *receiver = user;
    return receiver->receive(bytes, size * count, receiver->context);
}

// A body that was begun before the server asked for a login is sent again from its start.
static int seek_file(void *file, curl_off_t offset, int origin) {
    return fseeko(file, offset, origin) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

int curlshim_perform(const curlshim_request *request, long *status, char *error) {
    pthread_once(&once, open_library);
    CURL *handle = is_open ? curl.easy_init() : NULL;
    if (!handle) {
        snprintf(error, 256, "libcurl cannot be opened");
        return -1;
    }
    FILE *upload = NULL;
    if (request->upload_path && !(upload = fopen(request->upload_path, "rb"))) {
        snprintf(error, 256, "%.200s cannot be read", request->upload_path);
        curl.easy_cleanup(handle);
        return -2;
    }
    struct curl_slist *headers = NULL;
    for (const char *const *header = request->headers; header && *header; header++)
        headers = curl.slist_append(headers, *header);
    struct receiver header_receiver = {request->on_header, request->context};
    struct receiver body_receiver = {request->on_body, request->context};
    error[0] = 0;
    curl.easy_setopt(handle, CURLOPT_URL, request->url);
    curl.easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
    curl.easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl.easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(handle, CURLOPT_TIMEOUT_MS, request->timeout_ms);
    curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 30L);
    curl.easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl.easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, 60L);
    curl.easy_setopt(handle, CURLOPT_USERAGENT, "git-ml");
    curl.easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
    curl.easy_setopt(handle, CURLOPT_HEADERFUNCTION, forward);
    curl.easy_setopt(handle, CURLOPT_HEADERDATA, &header_receiver);
    curl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, forward);
    curl.easy_setopt(handle, CURLOPT_WRITEDATA, &body_receiver);
    if (request->body) {
        curl.easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        curl.easy_setopt(handle, CURLOPT_POSTFIELDS, request->body);
    }
    if (strcmp(request->method, "HEAD") == 0) curl.easy_setopt(handle, CURLOPT_NOBODY, 1L);
    if (upload) {
        fseeko(upload, 0, SEEK_END);
        curl.easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)ftello(upload));
        rewind(upload);
        curl.easy_setopt(handle, CURLOPT_UPLOAD, 1L);
        curl.easy_setopt(handle, CURLOPT_READDATA, upload);
        curl.easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
        curl.easy_setopt(handle, CURLOPT_SEEKFUNCTION, seek_file);
        curl.easy_setopt(handle, CURLOPT_SEEKDATA, upload);
    }
    CURLcode code = curl.easy_perform(handle);
    curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, status);
    if (code != CURLE_OK && !error[0]) snprintf(error, 256, "%s", curl.easy_strerror(code));
    curl.slist_free_all(headers);
    curl.easy_cleanup(handle);
    if (upload) fclose(upload);
    return (int)code;
}
