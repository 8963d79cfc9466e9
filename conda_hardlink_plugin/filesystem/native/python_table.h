/* The inode table as a Python object, and what the module needs to take arguments. */
#ifndef HARDLINKS_PYTHON_TABLE_H
#define HARDLINKS_PYTHON_TABLE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "table.h"

PyObject *table_type_new(void); /* the type; NULL and an error */

/* The table of an object; NULL and a TypeError if it is something else. */
Table *table_of(PyObject *object);

int is_tuple(PyObject *item); /* 0 and a TypeError if it is not */

/* PyArg_ParseTuple of an item of a sequence, which may be anything. */
#define PARSE_ITEM(item, ...) (is_tuple(item) && PyArg_ParseTuple(item, __VA_ARGS__))

#endif
