/* The public functions on transactions of others: arguments are checked here. */
#include <mq/admin.h>

#include "admin/admin.h"
#include "api/admin_impl.h"
#include "base/err.h"

mq_err mq_admin_list_transactions(mq_admin *admin, const mq_transaction_filter *filter,
				  int timeout_ms, const mq_transaction_listings **out,
				  mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, NULL, 0, out, error);

	if (err == MQ_OK && filter &&
	    ((filter->n_states > 0 && !filter->states) ||
	     (filter->n_producer_ids > 0 && !filter->producer_ids)))
		err = mq_fail(error, MQ_E_ARG, "an array of the filter is NULL");
	for (size_t i = 0; err == MQ_OK && filter && i < filter->n_states; i++)
		err = mq_api_check_name(filter->states[i], error);
	return err == MQ_OK ? mq_adm_list_transactions(admin, filter, timeout_ms, out, error) : err;
}

mq_err mq_admin_describe_transactions(mq_admin *admin, const char *const *ids, size_t n,
				      int timeout_ms, const mq_transaction_infos **out,
				      mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, ids, n, out, error);

	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = mq_api_check_name(ids[i], error);
	if (err != MQ_OK)
		return err;
	return mq_adm_describe_transactions(admin, ids, n, timeout_ms, out, error);
}

mq_err mq_admin_abort_transaction(mq_admin *admin, const mq_hanging_transaction *txn,
				  int timeout_ms, mq_error *error)
{
	mq_err err = mq_api_check_admin(admin, NULL, 0, txn, error);

	if (err == MQ_OK)
		err = mq_api_check_name(txn->topic, error);
	return err == MQ_OK ? mq_adm_abort_transaction(admin, txn, timeout_ms, error) : err;
}
