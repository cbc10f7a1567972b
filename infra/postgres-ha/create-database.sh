#!/bin/bash
# create-database.sh <connection string>
#
# Called by Patroni when it has made a new database server. `migrate` creates everything else.
exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$1" --command 'create database clicktally'
