/*
 * Transactions of the Java client, one a line of output when it has its end.
 *
 *     run ADDRESS ID TOPIC N   N transactions of 5 records; every third is aborted. The
 *                              records are "TXN-I"; those that commit bring an offset
 *                              for the group named like the id along.
 *     fence ADDRESS ID TOPIC   a producer that another takes the id from
 *
 * A transaction that fails is aborted and done again, which is said by "again".
 */
import java.util.Map;
import java.util.Properties;

import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactions {
    static KafkaProducer<String, String> producer(String address, String id) {
        Properties p = new Properties();
        p.put("bootstrap.servers", address);
        p.put("transactional.id", id);
        p.put("linger.ms", "1");
        p.put("batch.size", "20");
        p.put("reconnect.backoff.ms", "20");
        p.put("reconnect.backoff.max.ms", "100");
        p.put("max.block.ms", "90000");
        p.put("transaction.timeout.ms", "600000");
        KafkaProducer<String, String> made =
            new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
        made.initTransactions();
        return made;
    }

    static void transact(KafkaProducer<String, String> producer, String id, String topic, int txn) {
        producer.beginTransaction();
        for (int i = 0; i < 5; i++)
            producer.send(new ProducerRecord<>(topic, i % 2, null, txn + "-" + i));
        if (txn % 3 == 2) {
            producer.flush();
            producer.abortTransaction();
            return;
        }
        producer.sendOffsetsToTransaction(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(txn)),
                                          new ConsumerGroupMetadata(id));
        producer.commitTransaction();
    }

    static void run(String address, String id, String topic, int n) {
        KafkaProducer<String, String> producer = producer(address, id);

        for (int txn = 0; txn < n; txn++) {
            try {
                transact(producer, id, topic, txn);
                System.out.println("done " + txn);
            } catch (ProducerFencedException e) {
                throw e;
            } catch (KafkaException e) {
                System.out.println("again " + txn + " " + e);
                producer.abortTransaction();
                txn--;
            }
        }
        producer.close();
    }

    static void fence(String address, String id, String topic) {
        KafkaProducer<String, String> zombie = producer(address, id);

        zombie.beginTransaction();
        zombie.send(new ProducerRecord<>(topic, 0, null, "zombie"));
        zombie.flush();
        KafkaProducer<String, String> heir = producer(address, id);
        heir.beginTransaction();
        heir.send(new ProducerRecord<>(topic, 0, null, "heir"));
        heir.commitTransaction();
        try {
            zombie.commitTransaction();
            System.out.println("committed");
        } catch (ProducerFencedException | InvalidProducerEpochException e) {
            System.out.println("fenced");
        }
        zombie.close();
        heir.close();
    }

    public static void main(String[] args) {
        if (args[0].equals("run"))
            run(args[1], args[2], args[3], Integer.parseInt(args[4]));
        else
            fence(args[1], args[2], args[3]);
    }
}
