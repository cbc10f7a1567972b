revoke execute on function fold_ledger(interval, interval), hold_ledger(), producer_standing(uuid[]) from public;
grant execute on function fold_ledger(interval, interval), hold_ledger() to clicktally_processor;
grant execute on function producer_standing(uuid[]) to clicktally_api, clicktally_operator;
grant select on unsettled_messages, ledger_totals to clicktally_api, clicktally_operator;
