-- Trigger function on partitions before the horizon of raw clicks.
create or replace function refuse_click() returns trigger
  language plpgsql
as $$ begin
  raise exception 'The id is older than the stored raw clicks: the system cannot determine whether the click was counted.'
    using errcode = 'check_violation', constraint = 'id_before_horizon';
end $$;
revoke execute on function refuse_click() from public;
