/* Reads directories with several threads for scan/: a Python module over native/job.h and native/table.h.
 *
 * Limited API of Python 3.10: what is handed over are `bytes`, and numbers in the byte order of the machine. */
#include "native/python_table.h"

#include "native/job.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { ABI = 3, LOOK_MS = 50, END_MS = 100, MAX_THREADS = 256 };

/* ---- what is handed over ---- */

static char *copied(const char *bytes, Py_ssize_t length)
{
    char *copy = malloc((size_t)length + 1);
    if (copy) {
        memcpy(copy, bytes, (size_t)length);
        copy[length] = 0;
    }
    return copy;
}

static int task_of(PyObject *item, Task *task)
{
    const char *name, *inside;
    Py_ssize_t name_length, inside_length;
    unsigned long long device;
    unsigned int flags, location;
    if (!PARSE_ITEM(item, "iIIKy#y#", &task->parent, &flags, &location, &device, &name, &name_length, &inside,
                    &inside_length))
        return -1;
    *task = (Task){
        .parent = task->parent,
        .flags = flags,
        .location = location,
        .device = device,
        .name = copied(name, name_length),
        .inside = copied(inside, inside_length),
        .name_bytes = (size_t)name_length,
        .inside_bytes = (size_t)inside_length,
    };
    if (task->name && task->inside)
        return 0;
    PyErr_NoMemory();
    return -1;
}

typedef int (*ItemReader)(PyObject *item, void *element);

/* The elements of a sequence, in memory of their own; NULL and an error, or NULL if it is empty. */
static void *elements_of(PyObject *sequence, size_t size, ItemReader read, size_t *count)
{
    Py_ssize_t length = PySequence_Size(sequence);
    *count = 0;
    if (length <= 0)
        return NULL;
    char *elements = calloc((size_t)length, size);
    if (!elements) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t index = 0; index < length && !PyErr_Occurred(); index++) {
        PyObject *item = PySequence_GetItem(sequence, index);
        if (item)
            read(item, elements + (size_t)index * size);
        Py_XDECREF(item);
    }
    *count = (size_t)length;
    return elements;
}

static int read_task(PyObject *item, void *element)
{
    return task_of(item, element);
}

static int read_identity(PyObject *item, void *element)
{
    unsigned long long device, inode;
    if (!PARSE_ITEM(item, "KK", &device, &inode))
        return -1;
    *(Identity *)element = (Identity){device, inode};
    return 0;
}

static int read_number(PyObject *item, void *element)
{
    *(uint64_t *)element = PyLong_AsUnsignedLongLong(item);
    return PyErr_Occurred() ? -1 : 0;
}

static int read_path(PyObject *item, void *element)
{
    char *bytes;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(item, &bytes, &length))
        return -1;
    *(char **)element = copied(bytes, length);
    if (!*(char **)element)
        PyErr_NoMemory();
    return PyErr_Occurred() ? -1 : 0;
}

static int hand_over_page(const Page *page, PyObject *on_page)
{
    Buffer inodes = {0};
    PyObject *result = NULL;
    if (page_add_inodes(page, &inodes))
        PyErr_NoMemory();
    else
        result = PyObject_CallFunction(
            on_page, "IKKKKKLy#y#y#y#y#", page->location, (unsigned long long)page->device,
            (unsigned long long)page->directory_count, (unsigned long long)page->examined,
            (unsigned long long)page->linked_count, (unsigned long long)page->rows, (long long)page->newest_ns,
            page->directories.bytes, (Py_ssize_t)page->directories.count, page->directory_facts.bytes,
            (Py_ssize_t)page->directory_facts.count, page->names.bytes, (Py_ssize_t)page->names.count,
            page->name_facts.count ? page->name_facts.bytes : "", (Py_ssize_t)page->name_facts.count,
            inodes.count ? inodes.bytes : "", (Py_ssize_t)inodes.count);
    buffer_free(&inodes);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int hand_over_pages(Job *job, PyObject *on_page)
{
    int failed = 0;
    for (Page *page = job_take_pages(job), *next; page; page = next) {
        next = page->next;
        failed = failed || hand_over_page(page, on_page);
        page_free(page);
    }
    return failed;
}

static int tell_progress(Job *job, PyObject *on_progress)
{
    if (on_progress == Py_None)
        return 0;
    PyObject *result = PyObject_CallFunction(on_progress, "K", (unsigned long long)job_links(job));
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Runs a job to its end; -1: an error, Ctrl-C among them, after which the threads stop. */
static int run(Job *job, PyObject *on_progress, PyObject *on_page)
{
    int ended = 0, error = job_start(job);
    if (error)
        PyErr_NoMemory();
    while (!ended && !PyErr_Occurred()) {
        Py_BEGIN_ALLOW_THREADS
        ended = job_wait(job, LOOK_MS);
        Py_END_ALLOW_THREADS
        if (hand_over_pages(job, on_page) || tell_progress(job, on_progress) || PyErr_CheckSignals())
            break;
    }
    if (!PyErr_Occurred())
        return 0;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    job_stop(job);
    Py_BEGIN_ALLOW_THREADS
    for (int waited = 0; !error && waited < END_MS / LOOK_MS && !job_wait(job, LOOK_MS); waited++)
        for (Page *page = job_take_pages(job), *next; page; page = next) {
            next = page->next;
            page_free(page);
        }
    Py_END_ALLOW_THREADS
    PyErr_Restore(type, value, traceback);
    return -1;
}

static PyObject *bytes_of(const Buffer *buffer)
{
    return PyBytes_FromStringAndSize(buffer->count ? buffer->bytes : "", (Py_ssize_t)buffer->count);
}

static PyObject *results_of(const JobResult *found, size_t count, JobKind kind)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t index = 0; list && index < count; index++) {
        const TaskResult *result = found->results + index;
        PyObject *item;
        if (result->state == TASK_UNREAD && kind < JOB_CHECK)
            item = PyBool_FromLong(0);
        else if (result->state != TASK_READ)
            item = Py_BuildValue("");
        else if (kind >= JOB_CHECK)
            item = Py_BuildValue("(NN)", bytes_of(&result->directory_facts), bytes_of(&result->name_facts));
        else
            item = Py_BuildValue("(KK)", (unsigned long long)result->device, (unsigned long long)result->inode);
        if (!item || PyList_SetItem(list, (Py_ssize_t)index, item))
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *run_and_collect(Table *table, Settings settings, PyObject *tasks, PyObject *on_progress,
                                 PyObject *on_page)
{
    size_t count;
    Task *read = elements_of(tasks, sizeof(Task), read_task, &count);
    if (PyErr_Occurred()) {
        if (read)
            tasks_free(read, count);
        settings_free(&settings);
        return NULL;
    }
    Job *job = job_new(table, settings, read, count);
    if (!job)
        return PyErr_NoMemory();
    PyObject *result = NULL;
    if (!run(job, on_progress, on_page)) {
        JobResult found;
        job_result(job, &found);
        if (found.no_memory)
            PyErr_NoMemory();
        else
            result = Py_BuildValue("(NNNKiN)", results_of(&found, count, settings.kind), bytes_of(&found.sums),
                                   bytes_of(&found.events), (unsigned long long)found.directories, found.too_deep,
                                   found.is_untrusted ? PyLong_FromUnsignedLongLong(found.untrusted)
                                                      : Py_BuildValue(""));
    }
    job_release(job);
    return result;
}

static int limited(int threads)
{
    return threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
}

static PyObject *native_read(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *table, *tasks, *special, *untrusted, *skipped, *on_progress, *on_page;
    int kind;
    Settings settings = {0};
    unsigned long long max_directories;
    if (!PyArg_ParseTuple(arguments, "iOO(iiipK)OOOOO", &kind, &table, &tasks, &settings.threads,
                          &settings.threads_waiting, &settings.max_open, &settings.record, &max_directories, &special,
                          &untrusted, &skipped, &on_progress, &on_page))
        return NULL;
    settings.max_directories = max_directories;
    settings.kind = (JobKind)kind;
    settings.threads = limited(settings.threads);
    settings.threads_waiting = limited(settings.threads_waiting);
    if (kind < JOB_COUNT || kind > JOB_PATHS || (kind == JOB_COUNT) != (table != Py_None)) {
        PyErr_SetString(PyExc_ValueError, "a table is needed to count, and only there");
        return NULL;
    }
    if (table != Py_None && !table_of(table))
        return NULL;
    settings.special = elements_of(special, sizeof(Identity), read_identity, &settings.special_count);
    settings.untrusted = PyErr_Occurred()
                             ? NULL
                             : elements_of(untrusted, sizeof(uint64_t), read_number, &settings.untrusted_count);
    settings.skipped =
        PyErr_Occurred() ? NULL : elements_of(skipped, sizeof(char *), read_path, &settings.skipped_count);
    if (PyErr_Occurred()) {
        settings_free(&settings);
        return NULL;
    }
    return run_and_collect(table == Py_None ? NULL : table_of(table), settings, tasks, on_progress,
                           on_page);
}

static PyObject *native_birth(PyObject *module, PyObject *arguments)
{
    (void)module;
    int descriptor;
    struct statx status;
    if (!PyArg_ParseTuple(arguments, "i", &descriptor))
        return NULL;
    if (statx(descriptor, "", AT_EMPTY_PATH, STATX_BTIME, &status))
        return PyErr_SetFromErrno(PyExc_OSError);
    if (!(status.stx_mask & STATX_BTIME))
        return Py_BuildValue("");
    return PyLong_FromLongLong((long long)status.stx_btime.tv_sec * 1000000000 + status.stx_btime.tv_nsec);
}

static PyMethodDef native_methods[] = {
    {"birth_ns", native_birth, METH_VARARGS,
     "birth_ns(descriptor) -> int | None\n\nReturn when an open file was created, if the filesystem knows (statx(2))."},
    {"read", native_read, METH_VARARGS,
     "read(kind, table, tasks, (threads, threads_waiting, max_open, record, max_directories), special, untrusted, skipped,\n"
     "     on_progress, on_page) -> (results, sums, events, directories, is_too_deep, untrusted_device)\n\n"
     "Read directories with several threads; native/job.h says what is in the arguments and in the results."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "Reads directories with several threads.",
    .m_size = -1,
    .m_methods = native_methods,
};

PyMODINIT_FUNC PyInit__native(void)
{
    PyObject *module = PyModule_Create(&native_module), *type = table_type_new();
    if (!module || !type || PyModule_AddObject(module, "Table", type)) {
        Py_XDECREF(type);
        Py_XDECREF(module);
        return NULL;
    }
    if (PyModule_AddIntConstant(module, "ABI", ABI))
        Py_CLEAR(module);
    return module;
}
