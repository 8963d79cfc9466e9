#include "python_table.h"

#include "page.h"

static PyObject *table_type; /* the module has it, too */

int is_tuple(PyObject *item)
{
    if (PyTuple_Check(item))
        return 1;
    PyErr_SetString(PyExc_TypeError, "a tuple is needed for each item");
    return 0;
}

typedef struct {
    PyObject_HEAD
    Table *table;
    StepCache *steps;
} TableObject;

static PyObject *table_create(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    (void)arguments;
    (void)keywords;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    TableObject *self = (TableObject *)allocate(type, 0);
    if (!self)
        return NULL;
    self->table = table_new();
    self->steps = calloc(1, sizeof *self->steps);
    if (self->table && self->steps)
        return (PyObject *)self;
    Py_DECREF(self);
    return PyErr_NoMemory();
}

static void table_destroy(PyObject *object)
{
    TableObject *self = (TableObject *)object;
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    if (self->table)
        table_free(self->table);
    free(self->steps);
    release(object);
    Py_DECREF(type);
}

static uint32_t saturated(uint64_t link_count)
{
    return link_count > UINT32_MAX ? UINT32_MAX : (uint32_t)link_count;
}

static PyObject *table_add_link(PyObject *object, PyObject *arguments)
{
    TableObject *self = (TableObject *)object;
    unsigned long long st_dev, inode, link_count, disk_bytes, size_bytes;
    int is_symlink;
    unsigned int location;
    if (!PyArg_ParseTuple(arguments, "KKKKKpI", &st_dev, &inode, &link_count, &disk_bytes, &size_bytes, &is_symlink,
                          &location))
        return NULL;
    int64_t device = table_device(self->table, st_dev);
    Row row = {
        .inode = inode,
        .disk_bytes = disk_bytes,
        .size_bytes = size_bytes,
        .device = (uint32_t)device,
        .link_count = saturated(link_count),
        .is_symlink = is_symlink != 0,
    };
    int is_first = device < 0 ? -1 : table_add(self->table, self->steps, &row, location);
    return is_first < 0 ? PyErr_NoMemory() : PyBool_FromLong(is_first);
}

typedef struct {
    uint64_t device, inode;
} Known;

static int compare_known(const void *one, const void *other)
{
    const Known *a = one, *b = other;
    if (a->inode != b->inode)
        return a->inode < b->inode ? -1 : 1;
    return (a->device > b->device) - (a->device < b->device);
}

/* The inodes of one page: `linked`, then the columns of its rows (page.c). */
typedef struct {
    int64_t device;
    size_t linked_count, rows;
    const uint64_t *inodes;
} PageInodes;

static int page_of(TableObject *self, PyObject *item, PageInodes *page)
{
    unsigned long long st_dev;
    Py_ssize_t linked_count, rows, length;
    const char *bytes;
    if (!PARSE_ITEM(item, "Knny#", &st_dev, &linked_count, &rows, &bytes, &length))
        return -1;
    if (linked_count < 0 || rows < 0 || length % 8 || rows > length / 8 / ROW_COLUMNS ||
        linked_count != length / 8 - rows * ROW_COLUMNS) {
        PyErr_SetString(PyExc_ValueError, "the inodes of a page are not complete");
        return -1;
    }
    page->device = table_device(self->table, st_dev);
    page->linked_count = (size_t)linked_count;
    page->rows = (size_t)rows;
    page->inodes = malloc((size_t)length + 1);
    if (page->device < 0 || !page->inodes) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy((void *)page->inodes, bytes, (size_t)length);
    return 0;
}

/* Whether each linked inode is in the table, or in a row of one of the pages; -1: no memory. */
static int are_known(TableObject *self, const PageInodes *pages, size_t count)
{
    size_t rows = 0, filled = 0;
    for (size_t index = 0; index < count; index++)
        rows += pages[index].rows;
    Known *known = malloc((rows + 1) * sizeof *known);
    if (!known)
        return -1;
    for (size_t index = 0; index < count; index++) {
        const uint64_t *numbers = pages[index].inodes + pages[index].linked_count;
        for (size_t row = 0; row < pages[index].rows; row++)
            if (!numbers[(ROW_COLUMNS - 1) * pages[index].rows + row])
                known[filled++] = (Known){(uint64_t)pages[index].device, numbers[row]};
    }
    qsort(known, filled, sizeof *known, compare_known);
    int result = 1;
    for (size_t index = 0; index < count && result; index++)
        for (size_t at = 0; at < pages[index].linked_count && result; at++) {
            Known key = {(uint64_t)pages[index].device, pages[index].inodes[at]};
            result = table_has(self->table, (uint32_t)key.device, key.inode) ||
                     bsearch(&key, known, filled, sizeof key, compare_known);
        }
    free(known);
    return result;
}

static int count_pages(TableObject *self, const PageInodes *pages, size_t count, uint32_t location)
{
    int failed = 0;
    for (size_t index = 0; index < count && !failed; index++) {
        size_t rows = pages[index].rows;
        const uint64_t *column = pages[index].inodes + pages[index].linked_count;
        for (size_t at = 0; at < rows && !failed; at++) {
            Row row = {
                .inode = column[at],
                .link_count = saturated(column[rows + at]),
                .disk_bytes = column[2 * rows + at],
                .size_bytes = column[3 * rows + at],
                .is_symlink = column[4 * rows + at] != 0,
                .device = (uint32_t)pages[index].device,
            };
            failed = table_add(self->table, self->steps, &row, location) < 0;
        }
    }
    for (size_t index = 0; index < count && !failed; index++)
        for (size_t at = 0; at < pages[index].linked_count && !failed; at++)
            failed = table_count_known(self->table, self->steps, (uint32_t)pages[index].device, pages[index].inodes[at],
                                       location) < 0;
    return failed;
}

static PyObject *table_recall(PyObject *object, PyObject *arguments)
{
    TableObject *self = (TableObject *)object;
    PyObject *list;
    unsigned int location;
    if (!PyArg_ParseTuple(arguments, "OI", &list, &location))
        return NULL;
    Py_ssize_t count = PySequence_Size(list);
    if (count < 0)
        return NULL;
    PageInodes *pages = calloc((size_t)count + 1, sizeof *pages);
    if (!pages)
        return PyErr_NoMemory();
    int failed = 0, known = 0;
    for (Py_ssize_t index = 0; index < count && !failed; index++) {
        PyObject *item = PySequence_GetItem(list, index);
        failed = !item || page_of(self, item, pages + index);
        Py_XDECREF(item);
    }
    if (!failed) {
        known = are_known(self, pages, (size_t)count);
        failed = known < 0 || (known && count_pages(self, pages, (size_t)count, location));
        if (failed)
            PyErr_NoMemory();
    }
    for (Py_ssize_t index = 0; index < count; index++)
        free((void *)pages[index].inodes);
    free(pages);
    return failed ? NULL : PyBool_FromLong(known);
}

static PyObject *locations_of_states(TableObject *self, const Groups *groups)
{
    PyObject *found = PyDict_New();
    for (size_t index = 1; found && index < groups->count; index++) {
        uint32_t state = groups->groups[index].state, *locations;
        size_t count;
        PyObject *key = PyLong_FromUnsignedLong(state), *value = NULL;
        if (key && !table_locations(self->table, state, &locations, &count)) {
            value = PyBytes_FromStringAndSize((char *)locations, (Py_ssize_t)(count * sizeof *locations));
            free(locations);
        }
        if (!value || PyDict_SetItem(found, key, value))
            Py_CLEAR(found);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    if (!found && !PyErr_Occurred())
        PyErr_NoMemory();
    return found;
}

static int is_at_rest(const TableObject *self)
{
    if (!table_is_shared(self->table))
        return 1;
    PyErr_SetString(PyExc_RuntimeError, "threads are still adding to the table");
    return 0;
}

static PyObject *table_get_groups(PyObject *object, PyObject *none)
{
    (void)none;
    TableObject *self = (TableObject *)object;
    Groups groups;
    PyObject *result = NULL;
    if (!is_at_rest(self))
        return NULL;
    if (table_groups(self->table, &groups)) {
        PyErr_NoMemory();
    } else {
        PyObject *locations = locations_of_states(self, &groups);
        const uint64_t *devices;
        size_t device_count = table_devices(self->table, &devices);
        if (locations)
            result = Py_BuildValue("(y#y#N)", (const char *)devices, (Py_ssize_t)(device_count * sizeof *devices),
                                   (const char *)(groups.groups + 1),
                                   (Py_ssize_t)((groups.count - 1) * sizeof *groups.groups), locations);
    }
    free(groups.groups);
    return result;
}

static PyObject *table_learn_inodes(PyObject *object, PyObject *arguments)
{
    TableObject *self = (TableObject *)object;
    unsigned long long st_dev;
    const char *bytes;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(arguments, "Ky#", &st_dev, &bytes, &length))
        return NULL;
    int64_t device = table_device(self->table, st_dev);
    int failed = device < 0;
    for (Py_ssize_t at = 0; at + 8 <= length && !failed; at += 8) {
        uint64_t inode;
        memcpy(&inode, bytes + at, sizeof inode);
        failed = table_learn(self->table, (uint32_t)device, inode);
    }
    return failed ? PyErr_NoMemory() : Py_BuildValue("");
}

static PyObject *table_get_numbers(PyObject *object, PyObject *arguments)
{
    TableObject *self = (TableObject *)object;
    unsigned long long st_dev;
    if (!PyArg_ParseTuple(arguments, "K", &st_dev) || !is_at_rest(self))
        return NULL;
    int64_t device = table_device(self->table, st_dev);
    size_t count = table_rows(self->table), found = 0;
    Row *rows = malloc((count + 1) * sizeof *rows);
    uint64_t *numbers = malloc((count + 1) * sizeof *numbers);
    PyObject *result = NULL;
    if (rows && numbers) {
        table_copy_rows(self->table, rows);
        for (size_t index = 0; index < count; index++)
            if (rows[index].device == (uint32_t)device && !rows[index].is_symlink)
                numbers[found++] = rows[index].inode;
        result = PyBytes_FromStringAndSize((char *)numbers, (Py_ssize_t)(found * sizeof *numbers));
    } else {
        PyErr_NoMemory();
    }
    free(rows);
    free(numbers);
    return result;
}

static PyObject *table_get_rows(PyObject *object, PyObject *none)
{
    (void)none;
    TableObject *self = (TableObject *)object;
    if (!is_at_rest(self))
        return NULL;
    size_t length = table_rows(self->table) * sizeof(Row);
    PyObject *rows = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (!rows)
        return NULL;
    table_copy_rows(self->table, (Row *)PyBytes_AsString(rows));
    const uint64_t *devices;
    size_t device_count = table_devices(self->table, &devices);
    PyObject *states = PyList_New((Py_ssize_t)table_states(self->table));
    for (size_t state = 0; states && state < table_states(self->table); state++) {
        uint32_t *locations;
        size_t count;
        PyObject *item = NULL;
        if (table_locations(self->table, (uint32_t)state, &locations, &count)) {
            PyErr_NoMemory();
        } else {
            item = PyBytes_FromStringAndSize((char *)locations, (Py_ssize_t)(count * sizeof *locations));
            free(locations);
        }
        if (!item || PyList_SetItem(states, (Py_ssize_t)state, item))
            Py_CLEAR(states);
    }
    if (!states) {
        Py_DECREF(rows);
        return NULL;
    }
    return Py_BuildValue("(y#NN)", (const char *)devices, (Py_ssize_t)(device_count * sizeof *devices), rows, states);
}

/* Counts the links of one row in each location of its state. */
static int load_row(TableObject *self, const Row *packed, const uint64_t *devices, PyObject *states)
{
    Row row = *packed;
    char *bytes;
    Py_ssize_t length;
    PyObject *state = PyList_GetItem(states, (Py_ssize_t)packed->state); /* borrowed */
    if (!state || PyBytes_AsStringAndSize(state, &bytes, &length))
        return -1;
    int64_t device = table_device(self->table, devices[packed->device]);
    int failed = device < 0;
    row.device = (uint32_t)device;
    for (Py_ssize_t at = 0; at + 4 <= length && !failed; at += 4) {
        uint32_t location;
        memcpy(&location, bytes + at, sizeof location);
        failed = table_add(self->table, self->steps, &row, location) < 0;
    }
    if (failed)
        PyErr_NoMemory();
    return failed ? -1 : 0;
}

static PyObject *table_load_rows(PyObject *object, PyObject *arguments)
{
    const char *devices, *rows;
    Py_ssize_t devices_length, rows_length;
    PyObject *states;
    if (!PyArg_ParseTuple(arguments, "y#y#O", &devices, &devices_length, &rows, &rows_length, &states))
        return NULL;
    if (rows_length % (Py_ssize_t)sizeof(Row) || devices_length % 8 || !PyList_Check(states)) {
        PyErr_SetString(PyExc_ValueError, "the rows of a table are not complete");
        return NULL;
    }
    uint64_t *numbers = malloc((size_t)devices_length + 8);
    if (!numbers)
        return PyErr_NoMemory();
    memcpy(numbers, devices, (size_t)devices_length);
    int failed = 0;
    for (Py_ssize_t at = 0; at < rows_length && !failed; at += (Py_ssize_t)sizeof(Row)) {
        Row row;
        memcpy(&row, rows + at, sizeof row);
        if (row.device >= (size_t)devices_length / 8) {
            PyErr_SetString(PyExc_ValueError, "a row has an unknown device");
            failed = 1;
        } else {
            failed = load_row((TableObject *)object, &row, numbers, states);
        }
    }
    free(numbers);
    return failed ? NULL : Py_BuildValue("");
}

static PyObject *table_get_state(PyObject *object, PyObject *arguments)
{
    unsigned long long st_dev, inode;
    if (!PyArg_ParseTuple(arguments, "KK", &st_dev, &inode))
        return NULL;
    Table *table = ((TableObject *)object)->table;
    int64_t device = table_device(table, st_dev);
    return PyLong_FromUnsignedLong(device < 0 ? 0 : table_state(table, (uint32_t)device, inode));
}

static Py_ssize_t table_length(PyObject *object)
{
    return (Py_ssize_t)table_rows(((TableObject *)object)->table);
}

static PyMethodDef table_methods[] = {
    {"add", table_add_link, METH_VARARGS,
     "add(st_dev, inode, link_count, disk_bytes, size_bytes, is_symlink, location) -> bool\n\n"
     "Count one link to an inode that was examined; return whether it is the first one."},
    {"recall", table_recall, METH_VARARGS,
     "recall([(st_dev, linked, rows, inodes), ...], location) -> bool\n\n"
     "Count the links on pages of the index, unless one of them leads to an unknown inode."},
    {"groups", table_get_groups, METH_NOARGS,
     "groups() -> (devices, groups, {state: locations})\n\nReturn sums over inodes with links in the same locations."},
    {"learn", table_learn_inodes, METH_VARARGS,
     "learn(st_dev, inodes)\n\nMake inodes known that were examined elsewhere, in words of 8 bytes."},
    {"numbers", table_get_numbers, METH_VARARGS,
     "numbers(st_dev) -> bytes\n\nReturn the inodes of a device but symbolic links, in words of 8 bytes."},
    {"rows", table_get_rows, METH_NOARGS,
     "rows() -> (devices, rows, [locations, ...])\n\nReturn all inodes, for `load`."},
    {"load", table_load_rows, METH_VARARGS,
     "load(devices, rows, [locations, ...])\n\nCount the links in another table; `devices` may be other numbers."},
    {"state", table_get_state, METH_VARARGS,
     "state(st_dev, inode) -> int\n\nReturn the state of an inode, 0 if it is not known."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_doc, "Where links to each inode with several links were seen."},
    {Py_tp_new, table_create},
    {Py_tp_dealloc, table_destroy},
    {Py_tp_methods, table_methods},
    {Py_mp_length, table_length},
    {0, NULL},
};

static PyType_Spec table_spec = {
    .name = "conda_hardlink_plugin.filesystem._native.Table",
    .basicsize = sizeof(TableObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = table_slots,
};

PyObject *table_type_new(void)
{
    table_type = PyType_FromSpec(&table_spec);
    Py_XINCREF(table_type);
    return table_type;
}

Table *table_of(PyObject *object)
{
    if ((PyObject *)Py_TYPE(object) == table_type)
        return ((TableObject *)object)->table;
    PyErr_SetString(PyExc_TypeError, "the table must be a Table");
    return NULL;
}
